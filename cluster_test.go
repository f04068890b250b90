package finch_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/finchtest"
)

// newNodes returns the managers of a cluster in this process.
func newNodes(n int, event finch.SessionEvent) (nodes []*finch.SocketManager) {
	c := memory.NewCluster(nil)
	for i := range n {
		nodes = append(nodes, newChat(&finch.SocketManagerOptions{
			Broker: c.Node(), NodeID: fmt.Sprint("node", i), Secret: []byte("the same on all"), Session: event,
		}))
	}
	return nodes
}

func TestNodesDeliverToEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(2, finch.SessionEvent{})
		ann := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		bob := finchtest.Connect(t, nodes[1], finch.Identity{User: "bob"})
		bob2 := finchtest.Connect(t, nodes[0], finch.Identity{User: "bob"})
		synctest.Wait()
		joins(t, ann, "chat:7")
		joins(t, bob, "chat:7")
		publishes(t, ann, "chat:7", "recorded")
		hears(t, ann, "recorded")
		hears(t, bob, "recorded")
		if err := nodes[0].Room("chat:7").Send("say", "sent"); err != nil {
			t.Fatal(err)
		}
		hears(t, ann, "sent")
		hears(t, bob, "sent")
		if err := nodes[1].SendToAll("say", "all"); err != nil {
			t.Fatal(err)
		}
		if err := nodes[1].SendToUser("bob", "say", "for bob"); err != nil {
			t.Fatal(err)
		}
		hears(t, ann, "all")
		hears(t, bob, "all", "for bob")
		hears(t, bob2, "all", "for bob")
		id := first(nodes[0].User("ann").Sockets()).ID()
		if err := nodes[1].SendToSocket(id, "say", "for the socket"); err != nil {
			t.Fatal(err)
		}
		hears(t, ann, "for the socket")
		time.Sleep(time.Second) // shares
		for at, want := range map[finch.Room]int{nodes[1].Everyone(): 3, nodes[0].User("bob"): 2, nodes[1].User("ann"): 1, nodes[0].Room("chat:7"): 2} {
			if n, err := at.Count(t.Context()); n != want || err != nil {
				t.Errorf("%q has %d members, want %d (%v)", at.Name(), n, want, err)
			}
		}
		nodes[0].User("bob").CloseSockets(4000, "gone")
		for _, c := range []*finchtest.Client{bob, bob2} {
			if code, _ := c.ExpectClose(); code != 4000 {
				t.Errorf("closed with %d", code)
			}
		}
		if err := nodes[1].Room("chat:7").Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if rooms := slices.Collect(nodes[0].Rooms()); len(rooms) != 0 {
			t.Errorf("a closed room has members: %v", rooms)
		}
		ann.Expect("finch.left", nil) // it had joined by itself
		ann.ExpectNothing()
	})
}

func TestSessionIsResumedOnAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var events logbookOf
		nodes := newNodes(2, finch.SessionEvent{
			OnDrop:   func(context.Context, *finch.Session) { events.note("drop") },
			OnResume: func(_ context.Context, ses *finch.Session, s *finch.Socket) { events.note("resume " + ses.Name()) },
			OnLeave:  func(context.Context, *finch.Session, finch.CloseReason) { events.note("leave") },
		})
		ann := finchtest.Connect(t, nodes[0], finch.Identity{})
		name := ann.Hello().From
		joins(t, ann, "chat:7")
		if err := first(nodes[0].Sockets()).Join(t.Context(), "server's"); err != nil {
			t.Fatal(err)
		}
		ann.Skip()
		ann.Drop()
		synctest.Wait()
		if _, err := nodes[1].Room("chat:7").Publish(t.Context(), "say", "missed"); err != nil {
			t.Fatal(err)
		}
		ann.Turn(nodes[1])
		if g := ann.Resume(); !g.Resumed || g.From != name {
			t.Fatalf("%+v", g)
		}
		hears(t, ann, "missed")
		synctest.Wait() // the other room is opened by itself
		if rooms := first(nodes[1].Sockets()).Rooms(); len(rooms) != 2 {
			t.Errorf("it came back into %v", rooms)
		}
		finchtest.Pass(time.Minute)
		if got := events.all(); !slices.Equal(got, []string{"drop", "resume " + name}) {
			t.Errorf("events %q", got)
		}
	})
}

// logbookOf notes what callbacks say, from any goroutine.
type logbookOf struct {
	mu    sync.Mutex
	notes []string
}

func (l *logbookOf) note(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, text)
}

func (l *logbookOf) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.notes)
}

type shownMembers struct {
	Members []struct {
		ID      string
		Devices int
	}
	Joined, Updated []struct {
		ID      string
		Devices int
	}
	Left  []string
	Count int
}

func TestPresenceSpansNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(3, finch.SessionEvent{})
		watcher := finchtest.Connect(t, nodes[0], finch.Identity{User: "watcher"})
		joins(t, watcher, "chat:7")
		phone := finchtest.Connect(t, nodes[1], finch.Identity{User: "ann"})
		joins(t, phone, "chat:7")
		time.Sleep(time.Second)
		members := func(c *finchtest.Client, watch bool) shownMembers {
			t.Helper()
			in := map[string]any{"room": "chat:7"}
			if watch {
				in["watch"] = true
			}
			out, err := finchtest.Request[shownMembers](c, "finch.presence", in)
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		for _, watch := range []bool{false, true} {
			if got := members(watcher, watch); fmt.Sprint(got.Members) != "[{ann 1} {watcher 1}]" || got.Count != 2 {
				t.Errorf("watching %v: %+v", watch, got)
			}
		}
		laptop := finchtest.Connect(t, nodes[2], finch.Identity{User: "ann"})
		joins(t, laptop, "chat:7")
		var change shownMembers
		watcher.Expect("finch.presence", &change)
		if fmt.Sprint(change.Updated) != "[{ann 2}]" || change.Joined != nil || change.Left != nil || change.Count != 2 {
			t.Errorf("%+v", change)
		}
		phone.Close(1000, "")
		change = shownMembers{}
		watcher.Expect("finch.presence", &change)
		if fmt.Sprint(change.Updated) != "[{ann 1}]" || change.Left != nil {
			t.Errorf("%+v", change)
		}
		if err := nodes[2].Shutdown(t.Context()); err != nil { // the node goes, its members too
			t.Fatal(err)
		}
		change = shownMembers{}
		watcher.Expect("finch.presence", &change)
		if fmt.Sprint(change.Left) != "[ann]" || change.Count != 1 {
			t.Errorf("%+v", change)
		}
		watcher.ExpectNothing()
		n := 0
		for who, err := range nodes[1].Room("chat:7").Members(t.Context()) {
			if n++; err != nil || who.Name != "watcher" {
				t.Error(who, err)
			}
		}
		if n != 1 {
			t.Errorf("%d members", n)
		}
	})
}

func TestNodesWithOtherSecretsAreWarnedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cluster := memory.NewCluster(nil)
		var books []*logbook
		var nodes []*finch.SocketManager
		for i, secret := range []string{"one", "one", "another"} {
			logger, book := newLogbook()
			m := newChat(&finch.SocketManagerOptions{Broker: cluster.Node(), NodeID: fmt.Sprint("n", i), Secret: []byte(secret), Logger: logger})
			t.Cleanup(func() { m.Shutdown(context.Background()) })
			if err := m.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			nodes, books = append(nodes, m), append(books, book)
		}
		time.Sleep(time.Minute)
		for i, want := range []int{1, 1, 2} {
			if n := strings.Count(books[i].String(), "another Secret"); n != want {
				t.Errorf("node %d warns %d times, want %d:\n%s", i, n, want, books[i])
			}
		}
		books[0].wants(t, "other=n2")
		ann := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		ann.Hello()
		joins(t, ann, "chat:7")
		publishes(t, ann, "chat:7", "1")
		hears(t, ann, "1")
		ann.Drop()
		synctest.Wait()
		if _, err := nodes[1].Room("chat:7").Publish(t.Context(), "say", "missed"); err != nil {
			t.Fatal(err)
		}
		ann.Turn(nodes[2])
		if g := ann.Resume(); g.Resumed || g.Reason != "bad_ticket" || g.Ticket == "" {
			t.Errorf("a ticket of another secret gives %+v", g)
		}
		hears(t, ann, "missed") // positions are not sealed
	})
}
