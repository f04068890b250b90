package finch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// asks makes a request and returns how it is refused.
func asks(c *finchtest.Client, path string, data any) error {
	_, err := finchtest.Request[any](c, path, data)
	return err
}

func TestClientsEnterOnlyWhatIsDeclaredForThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		m.DeclareRooms("staff:{id}", finch.RoomOptions{HistorySize: 10})
		m.DeclareRooms("vip:{id}", finch.RoomOptions{CanJoin: func(_ context.Context, s *finch.Socket, room string) error {
			if s.User() != "ann" {
				return finch.Errorf(402, "pay_first", "this room costs money")
			}
			return nil
		}})
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		tests := []struct {
			room   any
			status int
			code   string
		}{
			{"u:ann", 403, "room_not_declared"},
			{"user", 403, "room_not_declared"},
			{"everyone", 403, "room_not_declared"},
			{"e:", 403, "room_not_declared"},
			{"r:chat:7", 403, "room_not_declared"},
			{"chat", 403, "room_not_declared"},
			{"staff:1", 403, "forbidden"},
			{"vip:1", 402, "pay_first"},
			{"", 422, "bad_room"},
			{nil, 422, "bad_room"},
			{strings.Repeat("a", 257), 422, "bad_room"},
			{"chat:\n", 422, "bad_room"},
			{"chat:\x00", 422, "bad_room"},
			{"chat:\x7f", 422, "bad_room"},
			{"chat:\u0085", 422, "bad_room"},
			{7, 400, "bad_data"},
		}
		for _, tt := range tests {
			for _, path := range []string{"finch.join", "finch.history", "finch.presence", "finch.publish"} {
				err := asks(bob, path, map[string]any{"room": tt.room, "path": "say"})
				if path != "finch.join" && (tt.code == "forbidden" || tt.code == "pay_first") {
					refusedWith(t, err, 403, "not_in_room")
					continue
				}
				refusedWith(t, err, tt.status, tt.code)
			}
		}
		// Not UTF-8: the frame is no text at all.
		bob.SendText(`{"path":"finch.join","id":77,"data":{"room":"chat:7"}}`)
		synctest.Wait()
		if rooms := first(m.Sockets()).Rooms(); len(rooms) != 1 || rooms[0] != "chat:7" {
			t.Errorf("bob is in %q", rooms)
		}
		// A user's address is not a room, however a client calls it.
		if err := m.SendToUser("ann", "secret", 1); err != nil {
			t.Fatal(err)
		}
		if _, err := m.User("ann").Publish(t.Context(), "secret", 2); err != nil {
			t.Fatal(err)
		}
		bob.Skip()
		bob.ExpectNothing()
	})
}

func TestFloodOfJoinsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{Limits: finch.Limits{RoomsPerSocket: 3, MessagesPerSecond: 100}})
		c := finchtest.Connect(t, m, finch.Identity{})
		refusals := map[string]int{}
		for i := range 1000 {
			var e *finch.Error
			if err := asks(c, "finch.join", map[string]any{"room": fmt.Sprint("chat:", i)}); err != nil {
				e = err.(*finch.Error)
				refusals[fmt.Sprint(e.Status, " ", e.Code)]++
			}
		}
		if refusals["409 too_many_rooms"] != 497 || refusals["429 too_fast"] != 500 || len(first(m.Sockets()).Rooms()) != 3 {
			t.Errorf("refused %v; in %v", refusals, first(m.Sockets()).Rooms())
		}
	})
}

func TestPositionsOfNoOneAreRefusedOrReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		var at []finch.Position
		for i := range 3 {
			p, err := m.Room("chat:7").Publish(t.Context(), "say", i)
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, p)
		}
		ann.Skip()
		forged, future, foreign := at[1], at[2], at[1]
		forged.Tag++
		future.Offset += 1000
		foreign.Epoch = "elsewhere"
		for _, tt := range []struct{ position, reason string }{
			{forged.String(), "forked"}, {future.String(), "ahead"}, {foreign.String(), "epoch"},
		} {
			o, err := finchtest.Request[finchtest.Outcome](ann, "finch.join", map[string]any{"room": "chat:7", "position": tt.position})
			if err != nil || o.Recovered == nil || *o.Recovered || o.Reason != tt.reason || o.Position != at[2].String() {
				t.Errorf("from %s: %+v, %v; want a reset %s", tt.position, o, err, tt.reason)
			}
			refusedWith(t, asks(ann, "finch.history", map[string]any{"room": "chat:7", "after": tt.position}), 409, "reset")
			c := finchtest.Connect(t, m, finch.Identity{})
			if err := asks(c, "finch.hello", map[string]any{"version": 1, "rooms": map[string]string{"chat:7": tt.position}}); err != nil {
				t.Fatal(err)
			}
			var reset finchtest.Outcome
			c.Expect("finch.reset", &reset)
			if reset.Reason != tt.reason || reset.Position != at[2].String() {
				t.Errorf("hello from %s: %+v", tt.position, reset)
			}
			c.Drop()
		}
		refusedWith(t, asks(ann, "finch.history", map[string]any{"room": "chat:7", "before": foreign}), 409, "reset")
		for _, bad := range []string{"x", "a.b.c", at[0].String() + "0 ", strings.Repeat("a", 100) + ".1.1", "e.01.1"} {
			refusedWith(t, asks(ann, "finch.join", map[string]any{"room": "chat:7", "position": bad}), 400, "bad_position")
			refusedWith(t, asks(ann, "finch.history", map[string]any{"room": "chat:7", "before": bad}), 400, "bad_position")
			refusedWith(t, asks(ann, "finch.hello", map[string]any{"version": 1, "rooms": map[string]string{"chat:7": bad}}), 400, "bad_position")
		}
		ann.ExpectNothing()
	})
}

// historyPage is what finch.history answers.
type historyPage struct {
	Messages []struct {
		Data     int
		Position string
	}
	More     bool
	Position string
}

func TestHistoryIsReadInPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		m.DeclareRooms("none", finch.RoomOptions{CanJoin: finch.Anybody})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		empty := joins(t, ann, "chat:7").Position
		at := []string{}
		for i := range 10 {
			p, err := m.Room("chat:7").Publish(t.Context(), "say", i)
			if err != nil {
				t.Fatal(err)
			}
			at = append(at, p.String())
		}
		read := func(in map[string]any, more bool, want ...int) {
			t.Helper()
			in["room"] = "chat:7"
			page, err := finchtest.Request[historyPage](ann, "finch.history", in)
			if err != nil || page.More != more || page.Position != at[9] || len(page.Messages) != len(want) {
				t.Errorf("%v: %+v, %v; want %v, more %v", in, page, err, want, more)
				return
			}
			for i, n := range want {
				if page.Messages[i].Data != n || page.Messages[i].Position != at[n] {
					t.Errorf("%v: %+v, want %v", in, page, want)
				}
			}
		}
		read(map[string]any{"limit": 2}, true, 8, 9)
		read(map[string]any{"before": at[3], "limit": 2}, true, 1, 2)
		read(map[string]any{"before": at[2], "limit": 2}, false, 0, 1)
		read(map[string]any{"before": at[0]}, false)
		read(map[string]any{"before": empty}, false)
		read(map[string]any{"after": at[7]}, false, 8, 9)
		read(map[string]any{"after": at[3], "limit": 2}, true, 4, 5)
		read(map[string]any{"after": at[9]}, false)
		read(map[string]any{"after": empty, "limit": 1}, true, 0)
		refusedWith(t, asks(ann, "finch.history", map[string]any{"room": "chat:7", "before": at[1], "after": at[1]}), 400, "bad_data")
		refusedWith(t, asks(ann, "finch.history", map[string]any{"room": "chat:7", "limit": -1}), 400, "bad_data")
		joins(t, ann, "none")
		refusedWith(t, asks(ann, "finch.history", map[string]any{"room": "none"}), 422, "no_history")
	})
}

func TestHelloIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{Limits: finch.Limits{RoomsPerSocket: 2, MessageBytes: 1 << 20}})
		c := finchtest.Connect(t, m, finch.Identity{})
		rooms := map[string]string{}
		for i := range 10_000 {
			rooms[fmt.Sprint("chat:", i)] = ""
		}
		refusedWith(t, asks(c, "finch.hello", map[string]any{"version": 1, "rooms": rooms}), 409, "too_many_rooms")
		few := map[string]string{"chat:1": "", "chat:2": "", "chat:3": "", "elsewhere": ""}
		if err := asks(c, "finch.hello", map[string]any{"version": 1, "rooms": few, "ticket": strings.Repeat("A", 500_000)}); err != nil {
			t.Fatal(err)
		}
		c.Expect("finch.joined", nil)
		c.Expect("finch.joined", nil)
		c.Expect("finch.left", nil)
		c.Expect("finch.left", nil)
		c.ExpectNothing()
		one := c.Hello()
		two := c.Hello()
		if one.Client != two.Client || !two.Resumed || one.Ticket == two.Ticket {
			t.Errorf("said hello twice and was told %+v and %+v", one, two)
		}
		c.Skip()
		if n := m.CountClients(); n != 1 {
			t.Error(n)
		}
	})
}

func TestRoomsOfTheServerDoNotKeepAClientFromResuming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{Limits: finch.Limits{RoomsPerSocket: 2}})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Hello()
		joins(t, c, "chat:own")
		s := first(m.Sockets())
		for i := range 20 {
			if err := s.Join(t.Context(), fmt.Sprint("given:", i)); err != nil {
				t.Fatal(err)
			}
		}
		c.Drop()
		c.Resume()
		synctest.Wait()
		if n := len(first(m.Sockets()).Rooms()); n != 21 {
			t.Errorf("is back in %d rooms of 21", n)
		}
	})
}

func TestMiddlewareRefusesWhatTheFrameworkHandles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		m.Use(func(next finch.MessageHandler) finch.MessageHandler {
			return func(ctx context.Context, s *finch.Socket, msg *finch.Message) error {
				if msg.Path == "finch.publish" || msg.Path == "finch.presence" {
					return finch.Errorf(403, "read_only", "this user may only read")
				}
				return next(ctx, s, msg)
			}
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		joins(t, c, "chat:7")
		_, _, err := c.Publish("chat:7", "say", 1, "key")
		refusedWith(t, err, 403, "read_only")
		refusedWith(t, asks(c, "finch.presence", map[string]any{"room": "chat:7"}), 403, "read_only")
		c.ExpectNothing()
	})
}

func TestServerTakesAClientOutWhileItEnters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, faulty := newCluster(t, 1, nil)
		c := finchtest.Connect(t, nodes[0], finch.Identity{})
		joins(t, c, "chat:1")
		faulty[0].Cut()
		c.SendText(`{"path":"finch.join","id":"j","data":{"room":"chat:7"}}`)
		synctest.Wait()
		if err := nodes[0].Room("chat:7").Close(t.Context()); err == nil {
			t.Error("a room was closed without a broker")
		}
		first(nodes[0].Sockets()).Leave(t.Context(), "chat:7")
		r := c.Expect("finch.join", nil)
		if r.Status != 403 {
			t.Errorf("got %s", r)
		}
		faulty[0].Mend()
		finchtest.Pass(time.Minute)
		if rooms := first(nodes[0].Sockets()).Rooms(); len(rooms) != 1 {
			t.Error(rooms)
		}
	})
}
