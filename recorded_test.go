package finch_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// newChat returns a manager whose rooms chat:{id} clients may use.
func newChat(o *finch.SocketManagerOptions) *finch.SocketManager {
	m := finch.NewSocketManager(o)
	m.DeclareRooms("chat:{id}", finch.RoomOptions{
		HistorySize: 100, HistoryAge: time.Hour, Presence: true,
		CanJoin: finch.Anybody, CanPublish: finch.AnyMember,
	})
	return m
}

// publishes publishes a text and fails the test if it cannot.
func publishes(t *testing.T, c *finchtest.Client, room, text string) string {
	t.Helper()
	position, _, err := c.Publish(room, "say", text, "")
	if err != nil {
		t.Fatal(err)
	}
	return position
}

func joins(t *testing.T, c *finchtest.Client, room string) finchtest.Outcome {
	t.Helper()
	o, err := c.Join(room)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// hears fails the test unless these texts come next on path say, and nothing
// else on it.
func hears(t *testing.T, c *finchtest.Client, texts ...string) {
	t.Helper()
	for _, want := range texts {
		var got string
		c.Expect("say", &got)
		if got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	}
}

// refusedWith fails the test unless err is a refusal with this code.
func refusedWith(t *testing.T, err error, status int, code string) {
	t.Helper()
	var e *finch.Error
	if !errors.As(err, &e) || e.Status != status || e.Code != code {
		t.Errorf("got %v, want %d %s", err, status, code)
	}
}

func TestMembersGetWhatIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		ann, bob := finchtest.Connect(t, m, finch.Identity{User: "ann"}), finchtest.Connect(t, m, finch.Identity{User: "bob"})
		joins(t, ann, "chat:7")
		joins(t, bob, "chat:7")
		position, duplicate, err := ann.Publish("chat:7", "say", "hello", "key-1")
		if err != nil || duplicate {
			t.Fatal(duplicate, err)
		}
		for _, c := range []*finchtest.Client{ann, bob} {
			r := c.Expect("say", nil)
			if r.Room != "chat:7" || r.Position != position || r.From != "ann" || r.Key != "key-1" || string(r.Data) != `"hello"` || r.Timestamp == 0 {
				t.Errorf("got %s, published at %s", r, position)
			}
		}
		if _, duplicate, err = ann.Publish("chat:7", "say", "hello", "key-1"); err != nil || !duplicate {
			t.Error("a repetition was not noticed:", duplicate, err)
		}
		_, _, err = ann.Publish("chat:7", "say", "other", "key-1")
		refusedWith(t, err, 409, "key_reused")
		if _, duplicate, err = bob.Publish("chat:7", "say", "hello", "key-1"); err != nil || duplicate {
			t.Error("the keys of two users met:", duplicate, err)
		}
		hears(t, ann, "hello")
		ann.ExpectNothing()
	})
}

func TestDroppedClientIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		ann, bob := finchtest.Connect(t, m, finch.Identity{User: "ann"}), finchtest.Connect(t, m, finch.Identity{User: "bob"})
		ann.Hello()
		joins(t, ann, "chat:7")
		joins(t, bob, "chat:7")
		publishes(t, bob, "chat:7", "1")
		hears(t, ann, "1")
		for round := range 5 { // many times in a row
			ann.Drop()
			publishes(t, bob, "chat:7", fmt.Sprint("missed ", round))
			if g := ann.Resume(); !g.Resumed || g.Reason != "" || g.From != "ann" {
				t.Fatalf("%+v", g)
			}
			var joined finchtest.Outcome
			ann.Expect("finch.joined", &joined)
			if joined.Recovered == nil || !*joined.Recovered || joined.Missed != 1 {
				t.Fatalf("%+v", joined)
			}
			hears(t, ann, fmt.Sprint("missed ", round))
			publishes(t, bob, "chat:7", fmt.Sprint("live ", round))
			hears(t, ann, fmt.Sprint("live ", round))
		}
		ann.ExpectNothing()
	})
}

func TestClientThatNeverReceivedAnythingIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		ann := finchtest.Connect(t, m, finch.Identity{})
		ann.Hello()
		joins(t, ann, "chat:7")
		ann.Drop()
		finchtest.Pass(2 * time.Hour) // in a quiet room, and long after the session has left
		if _, err := m.Room("chat:7").Publish(t.Context(), "say", "1"); err != nil {
			t.Fatal(err)
		}
		ann.Resume()
		hears(t, ann, "1")
	})
}

func TestWhoCannotBeCaughtUpIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		ann := finchtest.Connect(t, m, finch.Identity{})
		ann.Hello()
		joins(t, ann, "chat:7")
		publish := func(text string) {
			t.Helper()
			if _, err := m.Room("chat:7").Publish(t.Context(), "say", text); err != nil {
				t.Fatal(err)
			}
		}
		publish("0")
		hears(t, ann, "0")
		ann.Drop()
		for i := range 200 {
			publish(fmt.Sprint(i))
		}
		ann.Resume()
		var reset finchtest.Outcome
		ann.Expect("finch.reset", &reset)
		if reset.Reason != "trimmed" || reset.Room != "chat:7" || reset.Position != ann.Positions()["chat:7"] {
			t.Errorf("%+v", reset)
		}
		publish("after")
		hears(t, ann, "after")
		ann.ExpectNothing()
	})
}

func TestServersRoomsComeBackWithTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		ann.Hello()
		s := first(m.Sockets())
		for _, room := range []string{"chat:7", "undeclared"} {
			if err := s.Join(t.Context(), room); err != nil {
				t.Fatal(err)
			}
			ann.Expect("finch.joined", nil)
		}
		ann.Drop()
		synctest.Wait()
		for _, room := range []string{"chat:7", "undeclared"} {
			if _, err := m.Room(room).Publish(t.Context(), "say", room); err != nil {
				t.Fatal(err)
			}
		}
		ann.Resume()
		ann.Expect("finch.joined", nil)
		hears(t, ann, "chat:7")
		var reset finchtest.Outcome
		ann.Expect("finch.reset", &reset) // nobody knew that it had a position
		if reset.Room != "undeclared" || reset.Reason != "no_position" {
			t.Errorf("%+v", reset)
		}
		if _, err := m.Room("undeclared").Publish(t.Context(), "say", "live"); err != nil {
			t.Fatal(err)
		}
		hears(t, ann, "live")
		ann.Drop()
		synctest.Wait()
		if _, err := m.Room("undeclared").Publish(t.Context(), "say", "missed"); err != nil {
			t.Fatal(err)
		}
		ann.Resume()
		hears(t, ann, "missed")
		ann.Skip()
		if got := first(m.Sockets()).Rooms(); len(got) != 2 {
			t.Error(got)
		}
	})
}

func first[T any](seq func(func(T) bool)) (first T) {
	seq(func(v T) bool { first = v; return false })
	return first
}

func TestTicketsOfOthersAreNotHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{TicketAge: time.Hour})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		ticket := ann.Hello().Ticket
		if err := first(m.Sockets()).Join(t.Context(), "secret"); err != nil {
			t.Fatal(err)
		}
		ann.Expect("finch.joined", nil)
		try := func(user, ticket, want string) {
			t.Helper()
			c := finchtest.Connect(t, m, finch.Identity{User: user})
			g, err := finchtest.Request[finchtest.Greeting](c, "finch.hello", map[string]any{"version": 1, "ticket": ticket})
			if err != nil || g.Resumed || g.Reason != want || g.Ticket == "" {
				t.Errorf("%+v, %v; want reason %s", g, err, want)
			}
			c.ExpectNothing()
			c.Drop()
		}
		try("eve", ticket, "other_user")
		try("", ticket, "other_user")
		try("ann", ticket[:len(ticket)-1], "bad_ticket")
		try("ann", map[bool]string{false: "x", true: "y"}[ticket[0] == 'x']+ticket[1:], "bad_ticket")
		try("ann", "!", "bad_ticket")
		try("ann", strings.Repeat("A", 50_000), "bad_ticket")
		other := finchtest.Connect(t, newChat(nil), finch.Identity{User: "ann"})
		try("ann", other.Hello().Ticket, "bad_ticket")
		finchtest.Pass(time.Hour)
		try("ann", ticket, "ticket_expired")
	})
}

func TestResumeWhileTheOldSocketLivesClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var dropped, resumed, left atomic.Int32
		m := newChat(&finch.SocketManagerOptions{Session: finch.SessionEvent{
			OnDrop:   func(context.Context, *finch.Session) { dropped.Add(1) },
			OnResume: func(context.Context, *finch.Session, *finch.Socket) { resumed.Add(1) },
			OnLeave:  func(context.Context, *finch.Session, finch.CloseReason) { left.Add(1) },
		}})
		ann := finchtest.Connect(t, m, finch.Identity{})
		ann.Hello()
		joins(t, ann, "chat:7")
		ann.Resume() // the old connection does not know that it is dead
		ann.Skip()
		if _, err := m.Room("chat:7").Publish(t.Context(), "say", "once"); err != nil {
			t.Fatal(err)
		}
		hears(t, ann, "once")
		ann.ExpectNothing()
		finchtest.Pass(time.Minute)
		if n := m.CountClients(); n != 1 || dropped.Load() != 0 || resumed.Load() != 1 || left.Load() != 0 {
			t.Errorf("%d clients, %d drops, %d resumes, %d leaves", n, dropped.Load(), resumed.Load(), left.Load())
		}
		ann.Drop()
		finchtest.Pass(time.Minute)
		if dropped.Load() != 1 || resumed.Load() != 1 || left.Load() != 1 {
			t.Errorf("%d drops, %d resumes, %d leaves", dropped.Load(), resumed.Load(), left.Load())
		}
	})
}
