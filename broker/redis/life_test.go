package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// hasty makes a broker whose lease is short.
func (s *store) hasty() *redis.Broker {
	b := redis.New(s.options)
	redis.Hasten(b, 100*time.Millisecond, time.Second, 200*time.Millisecond)
	return b
}

func begin(t *testing.T, b *redis.Broker, id string, sink broker.Sink) {
	t.Helper()
	if err := b.Start(t.Context(), broker.Node{ID: id}, sink); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { closed(t, b) })
}

func TestNodeThatCrashedTakesItsSharesWithIt(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	in := &brokertest.Inbox{}
	b, dead := st.hasty(), st.hasty()
	begin(t, b, "b", in)
	if err := dead.Start(t.Context(), broker.Node{ID: "dead"}, &brokertest.Inbox{}); err != nil {
		t.Fatal(err)
	}
	for i, n := range []*redis.Broker{b, dead} {
		if err := n.SetShare(t.Context(), "r", i+1); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the node is known", func() bool { return len(b.Nodes()) == 2 })
	asked := make(chan error, 1)
	redis.Crash(dead)
	go func() {
		_, err := b.Ask(t.Context(), "dead", nil)
		asked <- err
	}()
	if err := <-asked; !errors.Is(err, broker.ErrUnavailable) && !errors.Is(err, broker.ErrUnknownNode) {
		t.Errorf("Ask gives %v", err)
	}
	until(t, "the crash is news", func() bool { return len(in.Downs()) == 1 && len(b.Nodes()) == 1 })
	shares, err := b.Shares(t.Context(), "r")
	if err != nil || len(shares) != 1 || shares[0].Members != 1 {
		t.Errorf("shares %+v, %v", shares, err)
	}
	if fields := st.fields(redis.SharesKey(st.options, "r")); len(fields) != 1 {
		t.Errorf("what the dead node had is still there: %v", fields)
	}
}

// A witness is a sink that notes when a node was gone without having come back.
type witness struct {
	brokertest.Inbox
	mu     sync.Mutex
	lives  map[string]int // of each node, how many are known
	missed []string
}

func (w *witness) NodeUp(n broker.NodeState) {
	w.Inbox.NodeUp(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lives[n.ID]++
}

func (w *witness) NodeDown(n broker.NodeState) {
	w.Inbox.NodeDown(n)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lives[n.ID]--; w.lives[n.ID] == 0 {
		w.missed = append(w.missed, n.ID)
	}
}

// TestOutageOfTheStoreIsNoMassDeparture: when it is over all leases have ended, and
// the nodes come back one after another.
func TestOutageOfTheStoreIsNoMassDeparture(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	var nodes []*redis.Broker
	var sinks []*witness
	for i := range 4 {
		b, w := st.hasty(), &witness{lives: map[string]int{}}
		begin(t, b, fmt.Sprint("n", i), w)
		nodes, sinks = append(nodes, b), append(sinks, w)
	}
	until(t, "they know each other", func() bool {
		return !slices.ContainsFunc(nodes, func(b *redis.Broker) bool { return len(b.Nodes()) != 4 })
	})
	s.pause()
	stopped := time.Now()
	until(t, "the leases have ended", func() bool { return time.Since(stopped) > 1500*time.Millisecond })
	s.resume()
	until(t, "all are back", func() bool {
		return !slices.ContainsFunc(sinks, func(w *witness) bool { return len(w.Ups()) != 6 || last(w.States()) != broker.Connected })
	})
	for i, w := range sinks {
		w.mu.Lock()
		if len(w.missed) != 0 {
			t.Errorf("node %d saw %v go", i, w.missed)
		}
		w.mu.Unlock()
	}
}

func TestQuestionToANodeThatCrashesEnds(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	b, dead := st.hasty(), st.hasty()
	begin(t, b, "b", &brokertest.Inbox{})
	asked := make(chan struct{})
	in := &brokertest.Inbox{AnswerFunc: func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		close(asked)
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	if err := dead.Start(t.Context(), broker.Node{ID: "dead"}, in); err != nil {
		t.Fatal(err)
	}
	go func() {
		<-asked
		redis.Crash(dead)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := b.Ask(ctx, "dead", nil); !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Ask gives %v", err)
	}
}

// TestHeadThatWasEvictedBeginsAnew: what is left of a room's history is not of the
// life that begins then.
func TestHeadThatWasEvictedBeginsAnew(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	b := st.node("n", &brokertest.Inbox{})
	old := publish(t, b, "r", "1", broker.PublishOptions{})
	head, _ := redis.RoomKeys(st.options, "r")
	s.do("DEL", head)
	fresh := publish(t, b, "r", "2", broker.PublishOptions{})
	page, err := b.Read(t.Context(), "r", broker.Range{})
	if err != nil || fresh.Epoch == old.Epoch || len(page.Messages) != 1 || page.Messages[0].Position != fresh {
		t.Errorf("%v after %v: %+v, %v", fresh, old, page, err)
	}
}

func TestCloseIsNewsAtOnce(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	in := &brokertest.Inbox{}
	b, other := st.node("b", in), redis.New(st.options)
	if err := other.Start(t.Context(), broker.Node{ID: "c"}, &brokertest.Inbox{}); err != nil {
		t.Fatal(err)
	}
	if err := other.SetShare(t.Context(), "r", 1); err != nil {
		t.Fatal(err)
	}
	until(t, "the node is known", func() bool { return len(b.Nodes()) == 2 })
	began := time.Now()
	closed(t, other)
	until(t, "the node has gone", func() bool { return len(b.Nodes()) == 1 && len(in.Downs()) == 1 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if fields := st.fields(redis.SharesKey(st.options, "r")); len(fields) != 0 {
		t.Errorf("its share is still there: %v", fields)
	}
}

func TestIDOfADeadNodeIsFreeWhenItsLeaseEnds(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	dead := st.hasty()
	if err := dead.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{}); err != nil {
		t.Fatal(err)
	}
	redis.Crash(dead)
	next, third := st.hasty(), st.hasty()
	began := time.Now()
	begin(t, next, "n", &brokertest.Inbox{})
	if took := time.Since(began); took < 300*time.Millisecond {
		t.Errorf("the lease of the dead ended after %v", took)
	}
	if err := third.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{}); err == nil || !strings.Contains(err.Error(), `"n"`) {
		t.Errorf("a second node with the id of a live one: %v", err)
	}
}

func TestNodeThatWasCutOffComesBackWithAnotherLife(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.address())
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	seen, cutOff := &brokertest.Inbox{}, &brokertest.Inbox{}
	b, lonely := st.hasty(), redis.New(st.through(p))
	redis.Hasten(lonely, 100*time.Millisecond, time.Second, 200*time.Millisecond)
	begin(t, b, "b", seen)
	begin(t, lonely, "lonely", cutOff)
	if err := lonely.SetShare(t.Context(), "r", 4); err != nil {
		t.Fatal(err)
	}
	until(t, "they know each other", func() bool { return len(b.Nodes()) == 2 && len(lonely.Nodes()) == 2 })
	before := lonely.Nodes()[1]
	p.setCut(true)
	until(t, "it is seen to go", func() bool { return slices.Contains(seen.Downs(), before) })
	until(t, "it is down", func() bool { return last(cutOff.States()) == broker.Down })
	if shares, err := b.Shares(t.Context(), "r"); err != nil || len(shares) != 0 {
		t.Errorf("shares %v, %v", shares, err)
	}
	if len(lonely.Nodes()) != 2 || len(cutOff.Downs()) != 0 {
		t.Errorf("the node that is cut off sees %v, and %v go", lonely.Nodes(), cutOff.Downs())
	}
	p.setCut(false)
	until(t, "it is back", func() bool { return last(cutOff.States()) == broker.Connected && len(seen.Ups()) == 2 })
	if after := last(seen.Ups()); after.ID != "lonely" || after.Incarnation == before.Incarnation {
		t.Errorf("it is back as %v, before %v", after, before)
	}
	until(t, "its share is back", func() bool {
		shares, err := b.Shares(t.Context(), "r")
		return err == nil && len(shares) == 1 && shares[0].Members == 4
	})
	if cutOff.UncertainCount() == 0 {
		t.Error("it is not uncertain")
	}
}

func TestCloseOfANodeWhoseServerIsGoneIsFast(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	b := redis.New(st.options)
	in := &brokertest.Inbox{}
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	open(t, b, "r")
	s.kill()
	until(t, "the node is down", func() bool { return slices.Contains(in.States(), broker.Down) })
	began := time.Now()
	closed(t, b)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("Close takes %v", took)
	}
}

func TestHeadOfAnOpenRoomDoesNotExpire(t *testing.T) {
	const forget = time.Hour
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}, ForgetAfter: forget})
	b := redis.New(st.options)
	redis.HastenKeeping(b, 20*time.Millisecond)
	begin(t, b, "n", &brokertest.Inbox{})
	empty := open(t, b, "empty")[0].Position
	full := publish(t, b, "full", "1", broker.PublishOptions{})
	released := open(t, b, "full", "released")[1].Position
	key := func(room string) string { head, _ := redis.RoomKeys(st.options, room); return head }
	b.Release([]string{"released"})
	for range 3 {
		before := st.left(key("empty"))
		st.advance(forget * 2 / 5)
		redis.Forget(b) // as if as much time had passed for the node
		until(t, "the head is prolonged", func() bool {
			return st.left(key("empty")) >= before-time.Second && st.left(key("full")) > forget-time.Minute
		})
	}
	if p := open(t, b, "empty")[0].Position; p != empty {
		t.Errorf("%v, before %v", p, empty)
	}
	if p := open(t, b, "full")[0].Position; p != full {
		t.Errorf("%v, before %v", p, full)
	}
	if p := open(t, b, "released")[0].Position; p.Epoch == released.Epoch {
		t.Errorf("a room that nobody has had open is still known: %v", p)
	}
}

func TestRoomWithoutAgeIsNeverForgotten(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}, ForgetAfter: time.Hour})
	b := st.node("n", &brokertest.Inbox{}, broker.Profile{Name: "kept", Size: 10}, broker.Profile{Name: "aged", Size: 10, Age: time.Minute})
	kept := publish(t, b, "kept", "1", broker.PublishOptions{Profile: "aged"})
	publish(t, b, "kept", "2", broker.PublishOptions{Profile: "kept"})
	aged := publish(t, b, "aged", "1", broker.PublishOptions{Profile: "kept"})
	publish(t, b, "aged", "2", broker.PublishOptions{Profile: "aged"})
	st.advance(59 * time.Second)
	if page, err := b.Read(t.Context(), "aged", broker.Range{}); err != nil || len(page.Messages) != 2 || page.Spare {
		t.Errorf("%+v, %v", page, err)
	}
	st.advance(48 * time.Hour)
	if page, err := b.Read(t.Context(), "kept", broker.Range{From: kept}); err != nil || len(page.Messages) != 2 {
		t.Errorf("%+v, %v", page, err)
	}
	if page, err := b.Read(t.Context(), "aged", broker.Range{}); err != nil || page.Head.Epoch == aged.Epoch {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestReleasedRoomIsUnsubscribed(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	b := st.node("n", &brokertest.Inbox{})
	rooms := names("r", 1300)
	open(t, b, rooms...)
	if !slices.Contains(s.list("PUBSUB", "SHARDCHANNELS"), redis.RoomChannel(st.options, "r-7")) {
		t.Error("a room that is open is not subscribed to")
	}
	b.Release(rooms)
	until(t, "no room is subscribed to", func() bool { return len(s.list("PUBSUB", "SHARDCHANNELS")) == 3 })
}

func TestPageOfLargeMessagesIsCut(t *testing.T) {
	b := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}}).node("n", &brokertest.Inbox{})
	data := strings.Repeat("x", 512<<10)
	var all []broker.Position
	for range 40 {
		all = append(all, publish(t, b, "r", data, broker.PublishOptions{}))
	}
	for _, newest := range []bool{false, true} {
		var got []broker.Position
		r := broker.Range{Newest: newest}
		for pages := 1; ; pages++ {
			page, err := b.Read(t.Context(), "r", r)
			if err != nil || len(page.Messages) == 0 {
				t.Fatalf("%d messages, %v", len(page.Messages), err)
			}
			var part []broker.Position
			for _, m := range page.Messages {
				if m.Position != r.From {
					part = append(part, m.Position)
				}
			}
			if newest {
				got = append(part, got...)
				r.Before = part[0].Offset
			} else {
				got = append(got, part...)
				r.From = last(part)
			}
			if !page.More {
				if pages < 2 {
					t.Error("20 MiB in one page")
				}
				break
			}
		}
		if !slices.Equal(got, all) {
			t.Errorf("newest %v: %d positions, want %d", newest, len(got), len(all))
		}
	}
}

func TestAnswerThatIsTooLongIsRefused(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	in := &brokertest.Inbox{AnswerFunc: func(_ context.Context, from string, question []byte) ([]byte, error) {
		if string(question) == "much" {
			return make([]byte, 9<<20), nil
		}
		return fmt.Appendf(nil, "%s: %s", from, question), nil
	}}
	a, _ := st.node("a", in), st.node("b", in)
	for _, to := range []string{"a", "b"} {
		if answer, err := a.Ask(t.Context(), to, []byte("who?")); err != nil || string(answer) != "a: who?" {
			t.Errorf("%s answers %q, %v", to, answer, err)
		}
	}
	if _, err := a.Ask(t.Context(), "b", []byte("much")); err == nil {
		t.Error("9 MiB were answered")
	} else if _, ok := errors.AsType[*broker.Refusal](err); !ok {
		t.Error(err)
	}
}

// TestPromotedReplicaWithoutTheTailShows: a master was ahead of its replica when
// the replica took its place, so that offsets are taken a second time.
func TestPromotedReplicaWithoutTheTailShows(t *testing.T) {
	master := startServer(t, "--repl-diskless-sync-delay", "0")
	replica := startServer(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(master.port))
	p := startProxy(t, master.address())
	st := newStore(t, redis.Options{Addresses: []string{master.address()}})
	in := &brokertest.Inbox{}
	b := started(t, st.through(p), "n", in)
	open(t, b, "r")
	var all []broker.Position
	for i := range 3 {
		all = append(all, publish(t, b, "r", fmt.Sprint(i), broker.PublishOptions{}))
	}
	until(t, "the replica has it all", func() bool {
		head, _ := redis.RoomKeys(st.options, "r")
		text, err := replica.try("GET", head)
		return err == nil && text != "" && text == master.do("GET", head)
	})
	replica.do("REPLICAOF", "NO", "ONE")
	for i := range 2 { // the tail
		all = append(all, publish(t, b, "r", fmt.Sprint("lost ", i), broker.PublishOptions{}))
	}
	until(t, "the tail is delivered", func() bool { return len(in.Messages("r")) == 5 })
	master.kill()
	p.aim(replica.address())
	until(t, "the node is uncertain and connected", func() bool { return in.UncertainCount() > 0 && last(in.States()) == broker.Connected })
	var heads []broker.Head
	until(t, "the replica answers", func() bool {
		var err error
		heads, _, err = b.Heads(t.Context(), []string{"r"}, "")
		return err == nil
	})
	if heads[0].Position != all[2] {
		t.Fatalf("the head is %v, want %v", heads[0].Position, all[2])
	}
	for i := range 3 {
		fresh := publish(t, b, "r", fmt.Sprint("lost ", i), broker.PublishOptions{})
		if fresh.Epoch != all[0].Epoch || fresh.Offset != uint64(4+i) || slices.Contains(all, fresh) {
			t.Errorf("%v after %v", fresh, all[2])
		}
	}
	until(t, "the new messages are delivered", func() bool { return len(in.Messages("r")) == 8 })
	if next := last(in.Messages("r")); next.Prev != all[4].Offset || next.Follows(all[4]) {
		t.Errorf("%+v follows a message that was lost, %v", next, all[4])
	}
	for _, lost := range all[3:] {
		page, err := b.Read(t.Context(), "r", broker.Range{From: lost})
		if err != nil {
			t.Fatal(err)
		}
		if after, err := page.Follow(lost, 0); !errors.Is(err, broker.ErrForked) {
			t.Errorf("%v, which was lost, is followed by %d messages, %v", lost, len(after), err)
		}
	}
	page, err := b.Read(t.Context(), "r", broker.Range{From: all[2]})
	if err != nil {
		t.Fatal(err)
	}
	if after, err := page.Follow(all[2], 6); err != nil || len(after) != 3 {
		t.Errorf("the last that was kept is followed by %d messages, %v", len(after), err)
	}
}
