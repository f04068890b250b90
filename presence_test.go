package finch_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// people is what the server says of who is in a room.
type people struct {
	Members, Joined, Updated []struct {
		ID      string
		Devices int
		Data    json.RawMessage
	}
	Left  []string
	Count int
	Next  string
}

func (p people) String() string {
	b, _ := json.Marshal(p)
	return string(b)
}

// watches begins a watch of a room.
func watches(t *testing.T, c *finchtest.Client, room string) people {
	t.Helper()
	p, err := finchtest.Request[people](c, "finch.presence", map[string]any{"room": room, "watch": true})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// sees waits for one change.
func sees(t *testing.T, c *finchtest.Client) (p people) {
	t.Helper()
	c.Expect("finch.presence", &p)
	return p
}

// settlePresence lets changes that are gathered be told.
func settlePresence() { finchtest.Pass(time.Second); synctest.Wait() }

func TestReconnectShowsNobodyAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		joins(t, bob, "chat:7")
		settlePresence()
		watches(t, bob, "chat:7")
		anon := finchtest.Connect(t, m, finch.Identity{})
		name := anon.Hello().From
		joins(t, anon, "chat:7")
		if p := sees(t, bob); len(p.Joined) != 1 || p.Joined[0].ID != name || p.Count != 2 {
			t.Errorf("%s", p)
		}
		for range 5 {
			anon.Drop()
			finchtest.Pass(5 * time.Second)
			if g := anon.Resume(); g.From != name || !g.Resumed {
				t.Errorf("%+v", g)
			}
			settlePresence()
		}
		anon.Resume() // while the old connection lives
		settlePresence()
		bob.ExpectNothing()
		anon.Drop()
		finchtest.Pass(14 * time.Second)
		bob.ExpectNothing()
		finchtest.Pass(2 * time.Second)
		if p := sees(t, bob); len(p.Left) != 1 || p.Left[0] != name || p.Count != 1 {
			t.Errorf("%s", p)
		}
	})
}

func TestUserLeavesWithTheLastDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		joins(t, bob, "chat:7")
		settlePresence()
		watches(t, bob, "chat:7")
		var devices []*finchtest.Client
		for range 2 {
			c := finchtest.Connect(t, m, finch.Identity{User: "ann"})
			c.Hello()
			joins(t, c, "chat:7")
			devices = append(devices, c)
		}
		settlePresence()
		if p := sees(t, bob); len(p.Joined) != 1 || p.Joined[0].Devices != 2 {
			t.Errorf("%s", p)
		}
		devices[0].Close(1000, "") // says goodbye: no grace
		settlePresence()
		if p := sees(t, bob); len(p.Left) != 0 || len(p.Updated) != 1 || p.Updated[0].Devices != 1 {
			t.Errorf("%s", p)
		}
		devices[1].Close(1000, "")
		settlePresence()
		if p := sees(t, bob); len(p.Left) != 1 || p.Count != 1 {
			t.Errorf("%s", p)
		}
	})
}

func TestRoomLeftWhileAwayShowsTheClientNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		ann.Hello()
		joins(t, ann, "chat:7")
		joins(t, ann, "chat:8")
		joins(t, bob, "chat:7")
		settlePresence()
		watches(t, bob, "chat:7")
		ticket := ann.Hello().Ticket
		ann.Drop()
		ann = finchtest.Connect(t, m, finch.Identity{User: "ann"}) // the same client, which does not want chat:7 any more
		if err := asks(ann, "finch.hello", map[string]any{"version": 1, "ticket": ticket, "rooms": map[string]string{"chat:8": ""}}); err != nil {
			t.Fatal(err)
		}
		settlePresence()
		if p := sees(t, bob); len(p.Left) != 1 || p.Left[0] != "ann" {
			t.Errorf("%s", p)
		}
		ann.Drop()
		if err := m.Room("chat:8").Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		settlePresence()
		for who := range m.Room("chat:8").Members(t.Context()) {
			t.Errorf("a closed room shows %+v", who)
		}
	})
}

func TestWatchEndsWithTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		bob.Hello()
		joins(t, bob, "chat:7")
		watches(t, bob, "chat:7")
		bob.Drop()
		bob.Resume()
		bob.Skip()
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		settlePresence()
		bob.ExpectNothing()
		if p := watches(t, bob, "chat:7"); p.Count != 2 || len(p.Members) != 2 || p.Members[0].ID != "ann" {
			t.Errorf("%s", p)
		}
		bob.Leave("chat:7")
		ann.Close(1000, "")
		settlePresence()
		bob.ExpectNothing()
	})
}

func TestWhatAMemberShowsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		m.DeclareRooms("plain", finch.RoomOptions{CanJoin: finch.Anybody})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		joins(t, ann, "chat:7")
		joins(t, ann, "plain")
		refusedWith(t, asks(ann, "finch.presence", map[string]any{"room": "plain"}), 422, "no_presence")
		refusedWith(t, asks(ann, "finch.presence", map[string]any{"room": "chat:8"}), 403, "not_in_room")
		refusedWith(t, asks(ann, "finch.presence", map[string]any{"room": "chat:7", "limit": -1}), 400, "bad_data")
		refusedWith(t, asks(ann, "finch.presence", map[string]any{"room": "chat:7", "data": strings.Repeat("x", 1023)}), 413, "too_large")
		p, err := finchtest.Request[people](ann, "finch.presence", map[string]any{"room": "chat:7", "data": strings.Repeat("x", 1022)})
		if err != nil || len(p.Members) != 1 || len(p.Members[0].Data) != 1024 {
			t.Errorf("%v, %v", p, err)
		}
		for _, user := range []string{"cid", "bob"} {
			joins(t, finchtest.Connect(t, m, finch.Identity{User: user}), "chat:7")
		}
		settlePresence()
		p, err = finchtest.Request[people](ann, "finch.presence", map[string]any{"room": "chat:7", "limit": 2})
		if err != nil || p.Count != 3 || p.Next != "bob" || len(p.Members) != 2 {
			t.Errorf("%s, %v", p, err)
		}
		p, err = finchtest.Request[people](ann, "finch.presence", map[string]any{"room": "chat:7", "limit": 2, "after": p.Next})
		if err != nil || p.Next != "" || len(p.Members) != 1 || p.Members[0].ID != "cid" {
			t.Errorf("%s, %v", p, err)
		}
	})
}
