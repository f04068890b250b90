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
	"github.com/finch-go/finch/finchtest"
)

// diary keeps what happened to sessions.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) write(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// events writes what happens on a node.
func (d *diary) events(node int) finch.SessionEvent {
	return finch.SessionEvent{
		OnDrop:   func(context.Context, *finch.Session) { d.write("drop %d", node) },
		OnResume: func(context.Context, *finch.Session, *finch.Socket) { d.write("resume %d", node) },
		OnLeave: func(_ context.Context, _ *finch.Session, why finch.CloseReason) {
			d.write("leave %d %d", node, why.Code)
		},
	}
}

// has fails the test unless exactly this was written since the last time.
func (d *diary) has(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.lines, want) {
		t.Errorf("happened: %s; want %s", strings.Join(d.lines, ", "), strings.Join(want, ", "))
	}
	d.lines = nil
}

func TestSessionsEndOnceInEveryOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		m := newChat(&finch.SocketManagerOptions{Session: d.events(0), Grace: 10 * time.Second})
		connect := func() *finchtest.Client {
			c := finchtest.Connect(t, m, finch.Identity{})
			c.Hello()
			return c
		}
		c := connect()
		c.Close(1000, "bye")
		d.has(t, "leave 0 1000")
		c = connect()
		c.Drop()
		d.has(t, "drop 0")
		finchtest.Pass(9 * time.Second)
		d.has(t)
		c.Resume()
		d.has(t, "resume 0")
		c.Drop()
		d.has(t, "drop 0")
		finchtest.Pass(11 * time.Second)
		d.has(t, "leave 0 1006")
		if g := c.Resume(); !g.Resumed { // a new beginning for the app
			t.Errorf("%+v", g)
		}
		d.has(t)
		c.Resume()
		d.has(t, "resume 0")
		c.Close(1000, "")
		d.has(t, "leave 0 1000")
		plain := finchtest.Connect(t, m, finch.Identity{})
		synctest.Wait()
		plain.Drop()
		d.has(t, "leave 0 1006")
		c = connect()
		first(m.Sockets()).Close(4403, "not you")
		c.ExpectClose()
		d.has(t, "leave 0 4403")
		c = connect()
		gone := connect()
		gone.Drop()
		d.has(t, "drop 0")
		if err := m.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		finchtest.Pass(time.Minute)
		d.has(t, "drop 0", "leave 0 1001", "leave 0 1001")
		c.Drop()
	})
}

func TestResumedSessionGoesToTheLastOfSeveral(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		m := newChat(&finch.SocketManagerOptions{Session: d.events(0)})
		c := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		c.Hello()
		if err := first(m.Sockets()).Join(t.Context(), "given"); err != nil {
			t.Fatal(err)
		}
		for range 20 { // a network that comes and goes: nobody waits for answers
			c.Drop()
			c.Resume()
			c.Resume()
		}
		synctest.Wait()
		if n := m.CountClients(); n != 1 {
			t.Errorf("%d sockets", n)
		}
		if rooms := first(m.Sockets()).Rooms(); len(rooms) != 1 {
			t.Errorf("the room of the server is lost: %v", rooms)
		}
		finchtest.Pass(time.Hour)
		c.Close(1000, "")
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if leaves := strings.Count(strings.Join(d.lines, " "), "leave"); leaves != 1 {
			t.Errorf("left %d times: %v", leaves, d.lines)
		}
	})
}

func TestTicketDoesNotBringBackIntoARoomThatTheServerHasTakenAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		c := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		c.Hello()
		s := first(m.Sockets())
		if err := s.Join(t.Context(), "secret"); err != nil {
			t.Fatal(err)
		}
		var joined struct{ Ticket string }
		c.Expect("finch.joined", &joined)
		if err := s.Leave(t.Context(), "secret"); err != nil {
			t.Fatal(err)
		}
		c.Expect("finch.left", nil)
		c.Drop()
		again := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		if err := asks(again, "finch.hello", map[string]any{"version": 1, "ticket": joined.Ticket, "rooms": map[string]string{"secret": ""}}); err != nil {
			t.Fatal(err)
		}
		again.Expect("finch.left", nil)
		if rooms := first(m.Sockets()).Rooms(); len(rooms) != 0 {
			t.Errorf("is in %v", rooms)
		}
	})
}

func TestSessionIsTakenOverByAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		nodes, _ := newCluster(t, 2, d.events)
		for _, dead := range []bool{false, true} {
			c := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
			t.Cleanup(func() { nodes[1].Shutdown(context.Background()) })
			c.Hello()
			joins(t, c, "chat:7")
			if err := first(nodes[0].Sockets()).Join(t.Context(), "given"); err != nil {
				t.Fatal(err)
			}
			c.Expect("finch.joined", nil)
			publishes(t, c, "chat:7", "1")
			hears(t, c, "1")
			if dead {
				c.Drop()
				d.has(t, "drop 0")
			}
			for _, room := range []string{"chat:7", "given"} {
				if _, err := nodes[1].Room(room).Publish(t.Context(), "say", "missed "+room); err != nil {
					t.Fatal(err)
				}
			}
			if !dead {
				synctest.Wait()
				c.Skip()
			}
			c.Turn(nodes[1])
			c.Resume()
			d.has(t, "resume 1")
			if rooms := first(nodes[1].Sockets()).Rooms(); len(rooms) != 2 {
				t.Error(rooms)
			}
			if n := nodes[0].CountClients(); n != 0 {
				t.Errorf("%d sockets are left on the first node", n)
			}
			finchtest.Pass(time.Minute)
			d.has(t) // it has not left the first node
			c.Close(1000, "")
			d.has(t, "leave 1 1000")
		}
	})
}

// TestHelloThatComesTooLateTakesNothing has a client that gave a hello up, whose
// node stood still, and resumed elsewhere.
func TestHelloThatComesTooLateTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := newNodes(2, finch.SessionEvent{})
		ann := finchtest.Connect(t, nodes[0], finch.Identity{})
		first := ann.Hello().Ticket // attempt 1
		joins(t, ann, "chat:7")
		ann.Drop()
		ann.Turn(nodes[1])
		g := ann.Resume() // attempt 2, with the first ticket
		if !g.Resumed {
			t.Fatalf("%+v", g)
		}
		second := g.Ticket
		ann.Resume() // attempt 3, with the second
		for _, late := range []struct {
			node    *finch.SocketManager
			ticket  string
			attempt int
		}{{nodes[1], first, 1}, {nodes[1], first, 99}, {nodes[1], second, 2}, {nodes[0], second, 2}} {
			c := finchtest.Connect(t, late.node, finch.Identity{})
			c.Send("finch.hello", map[string]any{"version": 1, "ticket": late.ticket, "attempt": late.attempt})
			if code, _ := c.ExpectClose(); code != 4409 {
				t.Errorf("attempt %d was closed with %d", late.attempt, code)
			}
		}
		ann.Skip()
		publishes(t, ann, "chat:7", "still here")
		hears(t, ann, "still here")
	})
}
