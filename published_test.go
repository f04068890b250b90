package finch_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/finchtest"
)

func TestKeysAreOfAUserOnAllDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		connect := func(user string) *finchtest.Client {
			c := finchtest.Connect(t, m, finch.Identity{User: user})
			joins(t, c, "chat:7")
			joins(t, c, "chat:8")
			return c
		}
		phone, laptop, bob, anon, anon2 := connect("ann"), connect("ann"), connect("bob"), connect(""), connect("")
		tries := []struct {
			c                     *finchtest.Client
			room, data, key, code string
			duplicate             bool
		}{
			{phone, "chat:7", "a", "k", "", false},
			{phone, "chat:7", "a", "k", "", true},
			{laptop, "chat:7", "a", "k", "", true},
			{laptop, "chat:7", "b", "k", "key_reused", false},
			{laptop, "chat:8", "b", "k", "", false},
			{bob, "chat:7", "b", "k", "", false},
			{anon, "chat:7", "c", "k", "", false},
			{anon2, "chat:7", "d", "k", "", false},
			{anon, "chat:7", "c", "k", "", true},
			{phone, "chat:7", "a", strings.Repeat("k", 129), "bad_key", false},
			{phone, "chat:7", "a", "", "", false},
			{phone, "chat:7", "a", "", "", false},
		}
		for i, tt := range tries {
			_, duplicate, err := tt.c.Publish(tt.room, "say", tt.data, tt.key)
			if tt.code != "" {
				if e, _ := err.(*finch.Error); e == nil || e.Code != tt.code {
					t.Errorf("%d: got %v, want %s", i, err, tt.code)
				}
			} else if err != nil || duplicate != tt.duplicate {
				t.Errorf("%d: duplicate %v, %v", i, duplicate, err)
			}
		}
		finchtest.Pass(6 * time.Minute) // the window is over
		if _, duplicate, err := phone.Publish("chat:7", "say", "z", "k"); duplicate || err != nil {
			t.Error(duplicate, err)
		}
	})
}

func TestWhatMayNotBePublishedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{Limits: finch.Limits{QueueBytes: 20_000}})
		m.DeclareRooms("read:{id}", finch.RoomOptions{CanJoin: finch.Anybody, HistorySize: 1})
		c := finchtest.Connect(t, m, finch.Identity{})
		joins(t, c, "chat:7")
		joins(t, c, "read:1")
		for _, tt := range []struct {
			in     map[string]any
			status int
			code   string
		}{
			{map[string]any{"room": "chat:7", "path": ""}, 400, "bad_path"},
			{map[string]any{"room": "chat:7", "path": strings.Repeat("p", 129)}, 400, "bad_path"},
			{map[string]any{"room": "chat:7", "path": "finch.left"}, 403, "reserved_path"},
			{map[string]any{"room": "read:1", "path": "say"}, 403, "forbidden"},
			{map[string]any{"room": "chat:8", "path": "say"}, 403, "not_in_room"},
			{map[string]any{"room": "chat:7", "path": "say", "data": strings.Repeat("x", 10_001)}, 413, "too_large"},
			{map[string]any{"room": "chat:7", "path": 7}, 400, "bad_data"},
		} {
			refusedWith(t, asks(c, "finch.publish", tt.in), tt.status, tt.code)
		}
		c.ExpectNothing()
		// A room that is closed, or was left just now.
		if err := m.Room("chat:7").Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.Publish("chat:7", "say", 1, "")
		refusedWith(t, err, 403, "not_in_room")
		joins(t, c, "chat:7")
		c.Leave("chat:7")
		_, _, err = c.Publish("chat:7", "say", 1, "")
		refusedWith(t, err, 403, "not_in_room")
		// Replies that nobody awaits answer nothing.
		c.SendText(`{"path":"finch.join","reply":99,"data":{"room":"chat:7"}}`)
		c.SendText(`{"path":"say","reply":"x","status":200}`)
		c.Skip()
		if rooms := first(m.Sockets()).Rooms(); len(rooms) != 1 {
			t.Error(rooms)
		}
	})
}

func TestPublishThatFailedHoldsBackTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, faulty := newCluster(t, 1, nil)
		c := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		joins(t, c, "chat:7")
		joins(t, c, "chat:8")
		faulty[0].SetFaults(brokertest.Faults{Refuse: 1})
		_, _, err := c.Publish("chat:7", "say", "1", "k1")
		refusedWith(t, err, 503, "unavailable")
		faulty[0].SetFaults(brokertest.Faults{})
		_, _, err = c.Publish("chat:7", "say", "2", "k2")
		refusedWith(t, err, 503, "held_back")
		publishes(t, c, "chat:8", "elsewhere")
		publishes(t, c, "chat:7", "without a key")
		for i, key := range []string{"k1", "k2"} {
			if _, _, err := c.Publish("chat:7", "say", fmt.Sprint(i+1), key); err != nil {
				t.Fatal(err)
			}
		}
		hears(t, c, "elsewhere", "without a key", "1", "2")
		faulty[0].SetFaults(brokertest.Faults{Unknown: 1})
		_, _, err = c.Publish("chat:7", "say", "3", "k3")
		refusedWith(t, err, 503, "unknown_outcome")
		faulty[0].SetFaults(brokertest.Faults{})
		_, _, err = c.Publish("chat:7", "say", "4", "k4")
		refusedWith(t, err, 503, "held_back")
		finchtest.Pass(61 * time.Second)
		if _, _, err = c.Publish("chat:7", "say", "4", "k4"); err != nil {
			t.Error("it is held back for ever:", err)
		}
		c.Skip()
	})
}

func TestNodeWithoutABrokerKeepsItsSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, faulty := newCluster(t, 1, nil)
		c := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		c.Hello()
		joins(t, c, "chat:7")
		faulty[0].Cut()
		_, _, err := c.Publish("chat:7", "say", "1", "k1")
		refusedWith(t, err, 503, "unavailable")
		c.SendText(`{"path":"finch.join","id":"j","data":{"room":"chat:8"}}`)
		finchtest.Pass(11 * time.Second)
		if r := c.Expect("finch.join", nil); r.Status != 503 || r.Error.Code != "unavailable" {
			t.Errorf("got %s", r)
		}
		late := finchtest.Connect(t, nodes[0], finch.Identity{User: "bob"})
		if g := late.Hello(); g.Ticket == "" {
			t.Errorf("%+v", g)
		}
		faulty[0].Mend()
		finchtest.Pass(20 * time.Second)
		if n := nodes[0].CountClients(); n != 2 {
			t.Errorf("%d sockets of 2 are left", n)
		}
		joins(t, late, "chat:7")
		if _, _, err := c.Publish("chat:7", "say", "1", "k1"); err != nil {
			t.Fatal(err)
		}
		hears(t, c, "1")
		hears(t, late, "1")
	})
}

func TestReadersThatStopAreCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(&finch.SocketManagerOptions{Limits: finch.Limits{QueueBytes: 4 << 20}})
		defer m.Shutdown(t.Context())
		var readers []*visitor
		for range 20 {
			v := waitingClient(t, m, finch.Identity{})
			v.nc.SetDeadline(time.Time{})
			v.text(`{"path":"finch.join","id":1,"data":{"room":"chat:7"}}`)
			v.expect("finch.join")
			readers = append(readers, v)
		}
		big := strings.Repeat("x", 1<<20-1000) // a record has to fit into a mebibyte
		for i := range 8 {                     // a megabyte each, half written
			if _, err := m.Room("chat:7").Publish(t.Context(), "big", big); err != nil {
				t.Fatal(i, err)
			}
			synctest.Wait()
		}
		if s := m.Stats(); s.Sockets != 20 || s.QueuedBytes > 20*6<<20 {
			t.Errorf("%+v", s)
		}
		for _, v := range readers {
			if e := v.expect("big"); len(e.Data) != len(big)+2 {
				t.Errorf("a frame of %d bytes", len(e.Data))
			}
			v.expect("finch.lagged")
		}
		for _, v := range readers {
			for range 7 { // more than is replayed at once, and all of it in history
				if e := v.expect("big"); len(e.Data) != len(big)+2 {
					t.Errorf("a frame of %d bytes", len(e.Data))
				}
			}
			v.nc.Close()
		}
		finchtest.Pass(time.Minute)
		if s := m.Stats(); s.Sockets != 0 || s.QueuedBytes != 0 {
			t.Errorf("%+v is left", s)
		}
	})
}

func TestShutdownEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, faulty := newCluster(t, 1, nil)
		m := nodes[0]
		c := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		c.Hello()
		joins(t, c, "chat:7")
		faulty[0].Cut()
		for i := range 5 {
			c.SendText(fmt.Sprintf(`{"path":"finch.join","id":"j%d","data":{"room":"chat:%d"}}`, i, 100+i))
			c.SendText(fmt.Sprintf(`{"path":"finch.publish","id":"p%d","data":{"room":"chat:7","path":"say"}}`, i))
		}
		synctest.Wait()
		joined := make(chan error, 1)
		s := first(m.Sockets())
		go func() { joined <- s.Join(t.Context(), "chat:9") }()
		synctest.Wait()
		if err := m.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-joined; err == nil {
			t.Error("a join succeeded on a node that is shut down")
		}
		if _, err := m.Room("chat:7").Publish(t.Context(), "say", 1); err == nil {
			t.Error("a node that is shut down publishes")
		}
		if code, _ := c.ExpectClose(); code != 1001 {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestPublishThatIsNotEchoedIsRepeatedByAnotherDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newChat(nil)
		phone, laptop := finchtest.Connect(t, m, finch.Identity{User: "ann"}), finchtest.Connect(t, m, finch.Identity{User: "ann"})
		in := map[string]any{"room": "chat:7", "path": "say", "data": "once", "key": "k", "echo": false}
		for i, c := range []*finchtest.Client{phone, laptop} {
			c.Hello()
			joins(t, c, "chat:7")
			out, err := finchtest.Request[struct{ Duplicate bool }](c, "finch.publish", in)
			if err != nil || out.Duplicate != (i == 1) {
				t.Errorf("device %d: %+v, %v", i, out, err)
			}
		}
		phone.Expect("finch.position", nil)
		phone.ExpectNothing()
	})
}
