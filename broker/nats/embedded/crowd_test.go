package embedded_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	natsgo "github.com/nats-io/nats.go"
)

// TestRoomOpenedInAClusterMissesNothing opens rooms through a server that does
// not lead, while subscriptions come and go, and publishes at the leader right
// away. Interest takes its time from server to server: without the barrier some
// of these messages are lost.
func TestRoomOpenedInAClusterMissesNothing(t *testing.T) {
	c := servers.NewCluster(t, 3, nil)
	first := nats.New(nats.Options{URL: c.URL(0), Partitions: 1, Logger: servers.Quiet, Connect: []natsgo.Option{natsgo.IgnoreDiscoveredServers()}})
	servers.Start(t, first, "first")
	conn, err := natsgo.Connect(c.URLs(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var info struct{ Cluster struct{ Leader string } }
	servers.API(t, conn, "STREAM.INFO.finch_h_=_0", nil, &info)
	leader := int(info.Cluster.Leader[1] - '0')
	far := (leader + 1) % 3
	node := func(at int, id string) (*nats.Broker, *brokertest.Inbox) {
		b := nats.New(nats.Options{URL: c.URL(at), Partitions: 1, Logger: servers.Quiet, Connect: []natsgo.Option{natsgo.IgnoreDiscoveredServers()}})
		return b, servers.Start(t, b, id)
	}
	writer, _ := node(leader, "writer")
	reader, in := node(far, "reader")

	stop := make(chan struct{})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	churn, err := natsgo.Connect(c.URL(far), natsgo.IgnoreDiscoveredServers())
	if err != nil {
		t.Fatal(err)
	}
	defer churn.Close()
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if sub, err := churn.SubscribeSync(fmt.Sprint("churn.", i)); err == nil {
				sub.Unsubscribe()
			}
			if i%50 == 0 {
				churn.Flush()
			}
		}
	})
	const rooms = 400
	want := map[string]broker.Position{}
	for i := range rooms {
		room := fmt.Sprint("room-", i)
		servers.Open(t, reader, room)
		want[room] = servers.Publish(t, writer, room, "1", broker.PublishOptions{})
	}
	missing := func() (n int) {
		for room, p := range want {
			if !slices.ContainsFunc(in.Messages(room), func(m broker.Message) bool { return m.Position == p }) {
				n++
			}
		}
		return n
	}
	for deadline := time.Now().Add(3 * time.Second); missing() > 0 && time.Now().Before(deadline); {
		<-time.After(50 * time.Millisecond)
	}
	if n := missing(); n > 0 {
		t.Errorf("%d of %d messages that were published after Open returned were not delivered", n, rooms)
	}
}

func TestNewLeaderMakesItsRoomsUncertain(t *testing.T) {
	t.Parallel() // it waits most of its time
	c := servers.NewCluster(t, 3, nil)
	b := nats.New(nats.Options{URL: c.URL(0), Partitions: 1, Logger: servers.Quiet})
	in := servers.Start(t, b, "n")
	servers.Open(t, b, "r")
	servers.Publish(t, b, "r", "1", broker.PublishOptions{})
	_, mark, err := b.Heads(t.Context(), []string{"r"}, "")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := natsgo.Connect(c.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := in.UncertainCount()
	servers.API(t, conn, "STREAM.LEADER.STEPDOWN.finch_h_=_0", nil, nil)
	servers.Eventually(t, "doubt", func() bool { return in.UncertainCount() > before })
	servers.Eventually(t, "a head", func() bool {
		heads, _, err := b.Heads(context.Background(), []string{"r"}, mark)
		return err == nil && len(heads) == 1 // although nothing has changed
	})
}

// A lazy sink lets go of deliveries when it is told to.
type lazy struct {
	brokertest.Inbox
	gate chan struct{}
}

func (l *lazy) Deliver(m broker.Message) {
	<-l.gate
	l.Inbox.Deliver(m)
}

// TestSinkThatIsTooSlowIsToldThatItMissedSomething: a sink must not block, but a
// machine may be too busy to run it.
func TestSinkThatIsTooSlowIsToldThatItMissedSomething(t *testing.T) {
	s := embedded.New(embedded.Options{Dir: t.TempDir(), Logger: servers.Quiet})
	servers.Start(t, s, "writer")
	slow := s.Node()
	in := &lazy{gate: make(chan struct{})}
	if err := slow.Start(t.Context(), broker.Node{ID: "slow"}, in); err != nil {
		t.Fatal(err)
	}
	defer servers.CloseNode(t, slow)
	servers.Open(t, slow, "r")
	servers.Open(t, slow, "other")
	before := in.UncertainCount()
	const n = 9000 // more than can wait
	publishMany(t, s, "r", n)
	last := servers.Publish(t, s, "r", "last", broker.PublishOptions{})
	close(in.gate)
	servers.Eventually(t, "doubt", func() bool { return in.UncertainCount() > before })
	if got := len(in.Messages("r")); got > n {
		t.Fatalf("%d messages were delivered: nothing was missed", got)
	}
	heads, _, err := slow.Heads(t.Context(), []string{"r"}, "")
	if err != nil || heads[0].Position != last {
		t.Errorf("head %v, %v; want %v", heads, err, last)
	}
}

// publishMany publishes from several goroutines.
func publishMany(t testing.TB, b broker.Broker, room string, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for g := range 32 {
		wg.Go(func() {
			for i := g; i < n; i += 32 {
				if _, err := b.Publish(t.Context(), room, fmt.Appendf(nil, "%d", i), broker.PublishOptions{}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestLongHistoryIsReadBothWays(t *testing.T) {
	s := embedded.New(embedded.Options{Dir: t.TempDir(), Logger: servers.Quiet})
	servers.Start(t, s, "n", broker.Profile{Size: 3000})
	const n = 2500
	publishMany(t, s, "r", n)
	publishMany(t, s, "another room between", n/2)
	for i := range 100 { // trimmed at both ends of the interleaving
		servers.Publish(t, s, []string{"r", "another room between"}[i%2], "late", broker.PublishOptions{})
	}
	var all []broker.Message
	for from := (broker.Position{}); ; {
		page := servers.Read(t, s, "r", broker.Range{From: from})
		messages := page.Messages
		if !from.IsZero() {
			var err error
			if messages, err = page.Follow(from, page.Head.Offset); err != nil {
				t.Fatal(err)
			}
		}
		all = append(all, messages...)
		if !page.More {
			break
		}
		from = all[len(all)-1].Position
	}
	if len(all) != n+50 {
		t.Fatalf("%d messages forwards", len(all))
	}
	var back []broker.Message
	for before := uint64(0); ; {
		page := servers.Read(t, s, "r", broker.Range{Before: before, Newest: true, Limit: 70})
		if page.More && len(page.Messages) != 70 {
			t.Fatalf("a page of %d backwards", len(page.Messages))
		}
		back = append(slices.Clone(page.Messages), back...)
		if !page.More {
			break
		}
		before = page.Messages[0].Position.Offset
	}
	if len(back) != len(all) {
		t.Fatalf("%d messages backwards, %d forwards", len(back), len(all))
	}
	for i := range all {
		if all[i].Position != back[i].Position || i > 0 && !all[i].Follows(all[i-1].Position) {
			t.Fatalf("message %d is %v forwards, %v backwards", i, all[i].Position, back[i].Position)
		}
	}
	from := all[500]
	page := servers.Read(t, s, "r", broker.Range{From: from.Position, Before: all[2000].Position.Offset, Newest: true, Limit: 5})
	if len(page.Messages) != 5 || page.Messages[4].Position != all[1999].Position || !page.More {
		t.Errorf("the newest five of a range: %d messages, more %v", len(page.Messages), page.More)
	}
	page = servers.Read(t, s, "r", broker.Range{From: all[1997].Position, Before: all[2000].Position.Offset, Newest: true, Limit: 5})
	if len(page.Messages) != 3 || page.Messages[0].Position != all[1997].Position || page.More {
		t.Errorf("a range of three: %d messages, more %v", len(page.Messages), page.More)
	}
}

// TestManyRoomsAreOpenedAtOnce: heads come in batches, which are bounded by
// number, by the length of the names, and by the bytes of the messages.
func TestManyRoomsAreOpenedAtOnce(t *testing.T) {
	s := embedded.New(embedded.Options{Dir: t.TempDir(), Logger: servers.Quiet})
	in := servers.Start(t, s, "n")
	want := map[string]broker.Position{}
	var rooms []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := g; i < 4000; i += 16 {
				room := fmt.Sprintf("room %d %s", i, strings.Repeat("x", i%200))
				p := broker.Position{}
				if i%3 != 0 {
					p = servers.Publish(t, s, room, "1", broker.PublishOptions{})
				}
				mu.Lock()
				rooms = append(rooms, room)
				want[room] = p
				mu.Unlock()
			}
			for i := range 2 { // long messages: one answer cannot hold all
				room := fmt.Sprint("long ", g, i)
				p := servers.Publish(t, s, room, strings.Repeat("x", 1<<20), broker.PublishOptions{})
				mu.Lock()
				rooms = append(rooms, room)
				want[room] = p
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	heads, err := s.Open(t.Context(), rooms)
	if err != nil || len(heads) != len(rooms) {
		t.Fatalf("%d heads of %d rooms, %v", len(heads), len(rooms), err)
	}
	for i, h := range heads {
		if p := want[rooms[i]]; h.Room != rooms[i] || p.IsZero() != h.Position.IsEmpty() || !p.IsZero() && h.Position != p {
			t.Fatalf("room %q has head %v, want %v", h.Room, h.Position, p)
		}
	}
	changed, mark, err := s.Heads(t.Context(), rooms, "")
	if err != nil || len(changed) != len(rooms) {
		t.Fatalf("%d heads of %d rooms, %v", len(changed), len(rooms), err)
	}
	again := servers.Publish(t, s, rooms[77], "2", broker.PublishOptions{})
	in.Messages(rooms[77])
	if changed, mark, err = s.Heads(t.Context(), rooms, mark); err != nil || len(changed) != 1 || changed[0].Position != again {
		t.Errorf("%d rooms have changed, %v; want one", len(changed), err)
	}
	if changed, _, err = s.Heads(t.Context(), rooms, mark); err != nil || len(changed) != 0 {
		t.Errorf("%d rooms have changed, %v; want none", len(changed), err)
	}
}

// quietRoom is what an open room may cost the node, its name of 12 bytes
// included.
const quietRoom = 600

// TestQuietRoomIsCheap measures with the server in a process of its own.
func TestQuietRoomIsCheap(t *testing.T) {
	p := servers.NewProcesses(t, 1)
	b := nats.New(nats.Options{URL: p.URLs(), Logger: servers.Quiet})
	servers.Start(t, b, "n")
	const n = 20_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("room-%07d", i)
	}
	before := heap()
	goroutines := runtime.NumGoroutine()
	for batch := range slices.Chunk(names, 1000) {
		if _, err := b.Open(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	each := (int(heap()) - int(before)) / n
	t.Logf("%d bytes", each)
	if each > quietRoom {
		t.Errorf("a quiet room costs %d bytes, more than %d", each, quietRoom)
	}
	if more := runtime.NumGoroutine() - goroutines; more > 5 {
		t.Errorf("%d rooms made %d goroutines", n, more)
	}
	b.Release(names)
	servers.Eventually(t, "the memory", func() bool { return (int(heap())-int(before))/n < quietRoom/3 })
}

// TestServerKeepsNothingOfWhatIsOver counts subscriptions and connections at the
// server.
func TestServerKeepsNothingOfWhatIsOver(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	s := c.Servers[0]
	servers.Eventually(t, "the end of what waited for the server", func() bool { return s.NumClients() == 0 })
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, b, "n")
	before := s.NumSubscriptions()
	var rooms []string
	for i := range 200 {
		rooms = append(rooms, fmt.Sprint("r", i))
	}
	for _, batch := range [][]string{rooms[:3], rooms, rooms[100:]} {
		if _, err := b.Open(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Heads(t.Context(), batch, ""); err != nil {
			t.Fatal(err)
		}
	}
	servers.Eventually(t, "one subscription for each room", func() bool { return s.NumSubscriptions()-before == 200 })
	for _, room := range rooms[:20] {
		servers.Publish(t, b, room, "1", broker.PublishOptions{})
		servers.Read(t, b, room, broker.Range{})
		if _, err := b.Shares(t.Context(), room); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Ask(t.Context(), "n", nil); err == nil {
			t.Error("it answered")
		}
	}
	b.Release(rooms)
	servers.Eventually(t, "the end of the subscriptions", func() bool { return s.NumSubscriptions() == before })
	servers.CloseNode(t, b)
	servers.Eventually(t, "the end of the connection", func() bool { return s.NumClients() == 0 })
}
