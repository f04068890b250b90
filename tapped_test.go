package finch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/finchtest"
)

// tappedBroker is a broker of which single calls go wrong.
type tappedBroker struct {
	broker.Broker
	shut     atomic.Bool                                          // no room is opened
	loses    atomic.Bool                                          // what is sent to rooms
	share    atomic.Pointer[func(room string, members int) error] // after the share was set
	question atomic.Pointer[func(question []byte) error]          // instead of asking, if it is an error
}

func (b *tappedBroker) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	if b.shut.Load() {
		return nil, broker.ErrUnavailable
	}
	return b.Broker.Open(ctx, rooms)
}

func (b *tappedBroker) Send(ctx context.Context, to broker.Target, data []byte) error {
	if to.Kind == broker.ToRoom && b.loses.Load() {
		return nil
	}
	return b.Broker.Send(ctx, to, data)
}

func (b *tappedBroker) SetShare(ctx context.Context, room string, members int) error {
	err := b.Broker.SetShare(ctx, room, members)
	if after := b.share.Load(); err == nil && after != nil {
		err = (*after)(room, members)
	}
	return err
}

func (b *tappedBroker) Ask(ctx context.Context, node string, question []byte) ([]byte, error) {
	if instead := b.question.Load(); instead != nil {
		if err := (*instead)(question); err != nil {
			return nil, err
		}
	}
	return b.Broker.Ask(ctx, node, question)
}

// newTappedNodes returns the managers of a cluster, and their brokers.
func newTappedNodes(t *testing.T, n int) (nodes []*finch.SocketManager, taps []*tappedBroker) {
	c := memory.NewCluster(nil)
	for i := range n {
		tap := &tappedBroker{Broker: c.Node()}
		taps = append(taps, tap)
		nodes = append(nodes, newChat(&finch.SocketManagerOptions{Broker: tap, NodeID: fmt.Sprint("node", i), Secret: []byte("the same on all")}))
		t.Cleanup(func() { nodes[i].Shutdown(context.WithoutCancel(t.Context())) })
	}
	return nodes, taps
}

func watchesIn(c *finchtest.Client, room string) (shownMembers, error) {
	return finchtest.Request[shownMembers](c, "finch.presence", map[string]any{"room": room, "watch": true})
}

// TestFirstNewsOfANodeThatAreLostAreFoundByTheCheck: of a node that had nobody in a
// room when the watch began nothing is known, and there is no gap that would show
// that its news are missing.
func TestFirstNewsOfANodeThatAreLostAreFoundByTheCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, taps := newTappedNodes(t, 2)
		for _, n := range nodes { // or the one would ask the other when it comes up
			if err := n.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		watcher := finchtest.Connect(t, nodes[0], finch.Identity{User: "watcher"})
		joins(t, watcher, "chat:7")
		if _, err := watchesIn(watcher, "chat:7"); err != nil {
			t.Fatal(err)
		}
		watcher.Skip()
		taps[1].loses.Store(true)
		ann := finchtest.Connect(t, nodes[1], finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		time.Sleep(10 * time.Second)
		watcher.ExpectNothing()
		time.Sleep(25 * time.Second)
		var change shownMembers
		if watcher.Expect("finch.presence", &change); fmt.Sprint(change.Joined) != "[{ann 1}]" || change.Count != 2 {
			t.Errorf("told %+v", change)
		}
	})
}

// TestRoomThatWasEmptyIsNotTakenForTheOneBefore: the number of news alone does not
// tell whether they were heard, when it begins anew with the room.
func TestRoomThatWasEmptyIsNotTakenForTheOneBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, taps := newTappedNodes(t, 2)
		watcher := finchtest.Connect(t, nodes[0], finch.Identity{User: "watcher"})
		joins(t, watcher, "chat:7")
		ann := finchtest.Connect(t, nodes[1], finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		time.Sleep(time.Second)
		if list, err := watchesIn(watcher, "chat:7"); err != nil || list.Count != 2 {
			t.Fatalf("listed %+v, %v", list, err)
		}
		taps[1].loses.Store(true)
		ann.Close(1000, "")
		time.Sleep(time.Second)
		bob := finchtest.Connect(t, nodes[1], finch.Identity{User: "bob"})
		joins(t, bob, "chat:7")
		time.Sleep(35 * time.Second)
		var change shownMembers
		if watcher.Expect("finch.presence", &change); fmt.Sprint(change.Joined, change.Left) != "[{bob 1}] [ann]" {
			t.Errorf("told %+v", change)
		}
	})
}

// TestWatcherBehindAnotherIsAnsweredWithAllNodes: the first one's question to the
// other node is under way when the second one comes.
func TestWatcherBehindAnotherIsAnsweredWithAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, taps := newTappedNodes(t, 2)
		ann := finchtest.Connect(t, nodes[1], finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		var watchers []*finchtest.Client
		for i := range 2 {
			c := finchtest.Connect(t, nodes[0], finch.Identity{User: fmt.Sprint("watcher", i)})
			joins(t, c, "chat:7")
			watchers = append(watchers, c)
		}
		time.Sleep(time.Second)
		taps[0].question.Store(new(func([]byte) error { time.Sleep(time.Second); return nil }))
		first := make(chan shownMembers, 1)
		go func() {
			list, _ := watchesIn(watchers[0], "chat:7")
			first <- list
		}()
		time.Sleep(500 * time.Millisecond)
		second, err := watchesIn(watchers[1], "chat:7")
		if list := <-first; err != nil || list.Count != 3 || second.Count != 3 {
			t.Errorf("the first was answered %+v, the second %+v, %v", list, second, err)
		}
	})
}

func TestWatchIsRefusedWhileAnotherNodeDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, taps := newTappedNodes(t, 2)
		ann := finchtest.Connect(t, nodes[1], finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		watcher := finchtest.Connect(t, nodes[0], finch.Identity{User: "watcher"})
		joins(t, watcher, "chat:7")
		time.Sleep(time.Second)
		taps[0].question.Store(new(func([]byte) error { return fmt.Errorf("%w: nobody answers", broker.ErrUnavailable) }))
		for range 2 {
			if list, err := watchesIn(watcher, "chat:7"); err == nil {
				t.Fatalf("listed %+v", list)
			}
		}
		joins(t, finchtest.Connect(t, nodes[0], finch.Identity{User: "bob"}), "chat:7")
		time.Sleep(time.Second)
		watcher.ExpectNothing() // it does not watch
		taps[0].question.Store(nil)
		if list, err := watchesIn(watcher, "chat:7"); err != nil || list.Count != 3 {
			t.Errorf("listed %+v, %v", list, err)
		}
	})
}

// TestShareOfUnknownOutcomeIsWrittenAgain: the number is again what it was before
// the write that failed, and the broker may have taken that one.
func TestShareOfUnknownOutcomeIsWrittenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, taps := newTappedNodes(t, 2)
		ann := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		time.Sleep(time.Second)
		room := nodes[0].Room("chat:7")
		bob := finchtest.Connect(t, nodes[0], finch.Identity{User: "bob"})
		taps[0].share.Store(new(func(name string, members int) error {
			if members == 2 {
				return errors.New("no answer")
			}
			return nil
		}))
		joins(t, bob, "chat:7")
		time.Sleep(300 * time.Millisecond)
		if _, err := finchtest.Request[any](bob, "finch.leave", map[string]any{"room": "chat:7"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		here, _ := room.Count(t.Context())
		there, err := nodes[1].Room("chat:7").Count(t.Context())
		if here != 1 || there != 1 || err != nil {
			t.Errorf("%d are counted here, %d on the other node, %v", here, there, err)
		}
	})
}

// TestPublishDoesNotWaitForEver: the room has members here, and cannot be opened;
// whoever publishes has set a bound that is long.
func TestPublishDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tap := &tappedBroker{Broker: memory.New(nil)}
		m := newChat(&finch.SocketManagerOptions{Broker: tap})
		room := m.Room("elsewhere")
		s := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		if err := m.Socket(s.Hello().Client).Join(t.Context(), "elsewhere"); err != nil {
			t.Fatal(err)
		}
		tap.shut.Store(true)
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := room.Publish(ctx, "say", "never"); !errors.Is(err, finch.ErrUnavailable) || time.Since(began) > 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		tap.shut.Store(false)
		if _, err := room.Publish(ctx, "say", "now"); err != nil {
			t.Error(err)
		}
		s.Expect("say", nil)
	})
}

// TestSessionThatWentOnElsewhereIsNotTheOneThatWasLeftHere: the node to which the
// client went could not ask for the session, and the server joined it to a room
// there. When it comes back its first node has the session of then.
func TestSessionThatWentOnElsewhereIsNotTheOneThatWasLeftHere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, taps := newTappedNodes(t, 2)
		ann := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		ann.Hello()
		ann.Drop()
		synctest.Wait()
		taps[1].question.Store(new(func([]byte) error { return broker.ErrUnavailable }))
		ann.Turn(nodes[1])
		if g := ann.Resume(); !g.Resumed {
			t.Fatalf("%+v", g)
		}
		if err := first(nodes[1].Sockets()).Join(t.Context(), "server's"); err != nil {
			t.Fatal(err)
		}
		ann.Skip()
		ann.Drop()
		synctest.Wait()
		ann.Turn(nodes[0])
		if g := ann.Resume(); !g.Resumed {
			t.Fatalf("%+v", g)
		}
		time.Sleep(time.Second)
		if rooms := first(nodes[0].Sockets()).Rooms(); !slices.Equal(rooms, []string{"server's"}) {
			t.Errorf("it came back into %v", rooms)
		}
	})
}

// TestHelloThatWasLateLeavesNoSessionToComeBackTo: a client gave up on a node that
// stood still, and went back to the one before, where the server joined it to a
// room. Meanwhile the hello was heard, as often as the client had tried.
func TestHelloThatWasLateLeavesNoSessionToComeBackTo(t *testing.T) {
	for tries := range 4 {
		synctest.Test(t, func(t *testing.T) {
			nodes, taps := newTappedNodes(t, 2)
			ann := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
			ticket := ann.Hello().Ticket
			ann.Drop()
			synctest.Wait()
			silent := func([]byte) error { return broker.ErrUnavailable }
			taps[1].question.Store(&silent)
			for range tries {
				late := finchtest.Connect(t, nodes[1], finch.Identity{User: "ann"})
				late.Send("finch.hello", map[string]any{"version": 1, "ticket": ticket, "attempt": 1})
				synctest.Wait()
				late.Drop()
				synctest.Wait()
			}
			if g := ann.Resume(); !g.Resumed {
				t.Fatalf("%+v", g)
			}
			if err := first(nodes[0].Sockets()).Join(t.Context(), "server's"); err != nil {
				t.Fatal(err)
			}
			ann.Skip()
			ann.Drop()
			synctest.Wait()
			ann.Turn(nodes[1])
			if g := ann.Resume(); !g.Resumed {
				t.Fatalf("%+v", g)
			}
			time.Sleep(time.Second)
			if rooms := first(nodes[1].Sockets()).Rooms(); !slices.Equal(rooms, []string{"server's"}) {
				t.Errorf("after %d late hellos it came back into %v", tries, rooms)
			}
		})
	}
}

// TestHelloThatIsLateFindsNothingInTheNextLifeOfItsNode: a node was restarted, and
// its ticket of before is newer than what a late hello has left there since.
func TestHelloThatIsLateFindsNothingInTheNextLifeOfItsNode(t *testing.T) {
	for to := range 2 {
		synctest.Test(t, func(t *testing.T) {
			c := memory.NewCluster(nil)
			start := func(id int) *finch.SocketManager {
				m := newChat(&finch.SocketManagerOptions{Broker: c.Node(), NodeID: fmt.Sprint("node", id), Secret: []byte("the same on all")})
				t.Cleanup(func() { m.Shutdown(context.WithoutCancel(t.Context())) })
				if err := m.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				return m
			}
			nodes := []*finch.SocketManager{start(0), start(1)}
			ann := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
			ticket := ann.Hello().Ticket
			ann.Drop()
			synctest.Wait()
			ann.Resume()
			if err := first(nodes[0].Sockets()).Join(t.Context(), "server's"); err != nil {
				t.Fatal(err)
			}
			ann.Skip()
			nodes[0].Shutdown(t.Context())
			nodes[0] = start(0)
			late := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
			late.Send("finch.hello", map[string]any{"version": 1, "ticket": ticket, "attempt": 1})
			synctest.Wait()
			late.Drop()
			synctest.Wait()
			ann.Turn(nodes[to])
			if g := ann.Resume(); !g.Resumed {
				t.Fatalf("%+v", g)
			}
			time.Sleep(time.Second)
			if rooms := first(nodes[to].Sockets()).Rooms(); !slices.Equal(rooms, []string{"server's"}) {
				t.Errorf("on node %d it came back into %v", to, rooms)
			}
		})
	}
}
