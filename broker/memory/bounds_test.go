package memory_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
)

func start(t testing.TB, b *memory.Broker, id string, profiles ...broker.Profile) *brokertest.Inbox {
	t.Helper()
	in := &brokertest.Inbox{}
	if err := b.Start(t.Context(), broker.Node{ID: id, Profiles: profiles}, in); err != nil {
		t.Fatal(err)
	}
	return in
}

func publish(t testing.TB, b broker.Broker, room string, o broker.PublishOptions) broker.Position {
	t.Helper()
	ack, err := b.Publish(t.Context(), room, []byte("data"), o)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Position
}

func open(t testing.TB, b broker.Broker, room string) broker.Position {
	t.Helper()
	heads, err := b.Open(t.Context(), []string{room})
	if err != nil {
		t.Fatal(err)
	}
	return heads[0].Position
}

func TestKeysAreBoundedByCountAndTheLossIsCounted(t *testing.T) {
	b := memory.New(&memory.Options{MaxKeys: 10})
	start(t, b, "n")
	var first broker.Position
	for i := range 13 {
		p := publish(t, b, "r", broker.PublishOptions{Key: fmt.Sprint(i)})
		if i == 0 {
			first = p
		}
	}
	if s := b.Cluster().Stats(); s.Keys != 10 || s.KeysShortened != 3 {
		t.Errorf("%d keys, %d shortened", s.Keys, s.KeysShortened)
	}
	if p := publish(t, b, "r", broker.PublishOptions{Key: "0"}); p == first {
		t.Error("a key that was dropped is still known")
	}
}

func TestKeysThatExpireAreNotCountedAsShortened(t *testing.T) {
	clock := newClock()
	b := memory.New(&memory.Options{Now: clock.now, MaxKeys: 10, DedupeWindow: time.Minute})
	start(t, b, "n")
	for i := range 100 {
		publish(t, b, "r", broker.PublishOptions{Key: fmt.Sprint(i)})
		clock.pass(10 * time.Second)
	}
	if s := b.Cluster().Stats(); s.Keys > 7 || s.KeysShortened != 0 {
		t.Errorf("%d keys, %d shortened", s.Keys, s.KeysShortened)
	}
}

func TestForgottenRoomBeginsANewEpoch(t *testing.T) {
	clock := newClock()
	b := memory.New(&memory.Options{Now: clock.now, ForgetAfter: time.Hour})
	start(t, b, "n", broker.Profile{Name: "aged", Size: 10, Age: time.Minute})
	aged := broker.PublishOptions{Profile: "aged"}
	old := publish(t, b, "r", aged)
	open(t, b, "held")
	held := publish(t, b, "held", aged)
	stir := func() { // other rooms' publishes are what sweeps
		for i := range 1000 {
			publish(t, b, fmt.Sprint("other ", i), aged)
		}
	}
	clock.pass(59 * time.Minute)
	stir()
	if head := open(t, b, "r"); head != old {
		t.Fatalf("before its time the head is %v, want %v", head, old)
	}
	b.Release([]string{"r"})
	clock.pass(2 * time.Minute)
	stir()
	if head := open(t, b, "r"); head.Epoch == old.Epoch || !head.IsEmpty() {
		t.Errorf("the forgotten room's head is %v, before %v", head, old)
	}
	if head := open(t, b, "held"); head != held {
		t.Errorf("a room that somebody has open was forgotten: %v, before %v", head, held)
	}
	clock.pass(3 * time.Hour)
	stir()
	if s := b.Cluster().Stats(); s.Messages > 1001 || s.Rooms > 1002 || s.Forgotten == 0 {
		t.Errorf("nothing is swept: %+v", s)
	}
}

func TestHistoriesGiveWayWhenTheyHoldTooMuch(t *testing.T) {
	b := memory.New(&memory.Options{MaxBytes: 1 << 20})
	start(t, b, "n", broker.Profile{Name: "large", Size: 10_000})
	data := make([]byte, 1000)
	for i := range 20_000 {
		if _, err := b.Publish(t.Context(), fmt.Sprint("r", i%100), data, broker.PublishOptions{Profile: "large"}); err != nil {
			t.Fatal(err)
		}
	}
	s := b.Cluster().Stats()
	if s.Bytes > 1<<20 || s.Bytes < 1<<17 || s.Squeezed == 0 {
		t.Errorf("%d bytes are held, %d squeezed", s.Bytes, s.Squeezed)
	}
	for i := range 100 {
		page, err := b.Read(t.Context(), fmt.Sprint("r", i), broker.Range{})
		if err != nil {
			t.Fatal(err)
		}
		if page.Spare {
			t.Fatal("a squeezed history says that age alone trimmed it")
		}
		if _, err := page.Follow(broker.Position{Epoch: page.Head.Epoch}, 0); !errors.Is(err, broker.ErrTrimmed) {
			t.Fatalf("a squeezed history proves itself whole: %v", err)
		}
	}
}

func TestBytesHeldReturnToZero(t *testing.T) {
	clock := newClock()
	b := memory.New(&memory.Options{Now: clock.now})
	start(t, b, "n", broker.Profile{Name: "aged", Size: 10, Age: time.Minute})
	for i := range 500 {
		publish(t, b, fmt.Sprint("r", i%50), broker.PublishOptions{Profile: "aged", Key: fmt.Sprint(i), From: "ada"})
	}
	b.Cluster().LoseTail("r1", 3)
	if err := b.Purge(t.Context(), "r2"); err != nil {
		t.Fatal(err)
	}
	if s := b.Cluster().Stats(); s.Bytes == 0 || s.Messages != 487 {
		t.Fatalf("%+v", s)
	}
	clock.pass(time.Minute)
	for i := range 50 {
		if _, _, err := b.Heads(t.Context(), []string{fmt.Sprint("r", i)}, ""); err != nil {
			t.Fatal(err)
		}
	}
	if s := b.Cluster().Stats(); s.Bytes != 0 || s.Messages != 0 {
		t.Errorf("all has expired, and still: %+v", s)
	}
}

func TestReleasedRoomWithoutMessagesCostsNothing(t *testing.T) {
	c := memory.NewCluster(nil)
	a, b := c.Node(), c.Node()
	start(t, a, "a")
	start(t, b, "b")
	for i := range 1000 {
		open(t, a, fmt.Sprint(i))
		open(t, b, fmt.Sprint(i))
		a.Release([]string{fmt.Sprint(i)})
	}
	if n := c.Stats().Rooms; n != 1000 {
		t.Errorf("%d rooms while one node has them open", n)
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := c.Stats().Rooms; n != 0 {
		t.Errorf("%d rooms that nobody has open and nobody published to", n)
	}
}

func TestNodesBeyondTheMostAreRefused(t *testing.T) {
	c := memory.NewCluster(nil)
	for i := range memory.MaxNodes {
		start(t, c.Node(), fmt.Sprint(i))
	}
	if err := c.Node().Start(t.Context(), broker.Node{ID: "one-more"}, &brokertest.Inbox{}); err == nil {
		t.Error("one more node was started")
	}
	if err := c.Node().Start(t.Context(), broker.Node{ID: "5"}, &brokertest.Inbox{}); err == nil {
		t.Error("a second node of one id was started")
	}
}

func TestNodesComeAndGoWhileOthersPublish(t *testing.T) {
	c := memory.NewCluster(nil)
	steady := c.Node()
	start(t, steady, "steady")
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					publish(t, steady, "r", broker.PublishOptions{})
					if err := steady.Send(t.Context(), broker.Target{}, nil); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	for i := range 200 {
		b := c.Node()
		in := start(t, b, fmt.Sprint(i))
		open(t, b, "r")
		publish(t, b, "r", broker.PublishOptions{})
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := len(in.Messages("r"))
		runtime.Gosched()
		if len(in.Messages("r")) != n {
			t.Fatal("a closed node was delivered to")
		}
	}
	close(stop)
	wg.Wait()
}

func TestRunsWithEqualRandomnessAreEqual(t *testing.T) {
	run := func() (all []broker.Position) {
		clock, seed := newClock(), uint64(7)
		b := memory.New(&memory.Options{Now: clock.now, Random: func() uint64 { seed++; return seed }})
		start(t, b, "n")
		for range 10 {
			all = append(all, publish(t, b, "r", broker.PublishOptions{}))
			clock.pass(time.Second)
		}
		return all
	}
	if a, b := fmt.Sprint(run()), fmt.Sprint(run()); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// quietRoom is what an open room that was never published to may cost beyond
// its name.
const quietRoom = 300

func TestQuietRoomIsCheap(t *testing.T) {
	const n = 100_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("room-%07d", i)
	}
	b := memory.New(nil)
	start(t, b, "n")
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	for _, name := range names {
		open(t, b, name)
	}
	each := int(heap()-before)/n - len(names[0])
	runtime.KeepAlive(b)
	t.Logf("%d bytes beyond the name", each)
	if each > quietRoom {
		t.Errorf("a quiet room costs %d bytes beyond its name, more than %d", each, quietRoom)
	}
}

func BenchmarkPublish(b *testing.B) {
	for _, key := range []string{"", "key"} {
		b.Run("key="+key, func(b *testing.B) {
			node := memory.New(nil)
			if err := node.Start(b.Context(), broker.Node{ID: "n"}, deaf{}); err != nil {
				b.Fatal(err)
			}
			open(b, node, "r")
			data := make([]byte, 128)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				o := broker.PublishOptions{}
				if key != "" {
					i++
					o.Key = fmt.Sprint(i)
				}
				if _, err := node.Publish(b.Context(), "r", data, o); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// deaf is a sink that costs nothing.
type deaf struct{ broker.Sink }

func (deaf) Deliver(broker.Message)        {}
func (deaf) State(broker.State, error)     {}
func (deaf) Uncertain(broker.Scope, error) {}
