package finch_test

import (
	"context"
	"encoding/json"
	"errors"
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

// join connects a client and answers it with its socket.
func join(t *testing.T, m *finch.SocketManager, id finch.Identity) (*finchtest.Client, *finch.Socket) {
	t.Helper()
	before := map[string]bool{}
	for s := range m.Sockets() {
		before[s.ID()] = true
	}
	c := finchtest.Connect(t, m, id)
	for s := range m.Sockets() {
		if !before[s.ID()] {
			return c, s
		}
	}
	t.Fatal("the client has no socket")
	return nil, nil
}

func TestSocketIDsAreTheServersAndUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		seen := map[string]bool{}
		for range 100 { // every one with the same handshake key
			_, s := join(t, m, finch.Identity{})
			if id := s.ID(); seen[id] || len(id) < 16 || m.Socket(id) != s {
				t.Errorf("id %q", id)
			}
			seen[s.ID()] = true
		}
	})
}

func TestASocketKeepsValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		shared := map[string]any{"plan": "gold"}
		_, a := join(t, m, finch.Identity{User: "sara", Values: shared})
		_, b := join(t, m, finch.Identity{User: "sara", Values: shared})
		a.Set("plan", "lead")
		a.Set("n", 1)
		if a.Get("plan") != "lead" || a.Get("n") != 1 || b.Get("plan") != "gold" || b.Get("n") != nil || shared["n"] != nil {
			t.Errorf("got %v %v, %v %v, %v", a.Get("plan"), a.Get("n"), b.Get("plan"), b.Get("n"), shared)
		}
		if a.User() != "sara" || a.Manager() != m {
			t.Error("the socket does not know its user or its manager")
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { a.Set(fmt.Sprint(i), i); a.Get("plan") })
		}
		wg.Wait()
	})
}

func TestSendRefusesWhatCannotBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{QueueBytes: 4 << 10}})
		c, s := join(t, m, finch.Identity{User: "sara"})
		if err := s.Join(t.Context(), "room"); err != nil {
			t.Fatal(err)
		}
		sends := map[string]func(path string, data any) error{
			"Socket.Send":  func(path string, data any) error { return s.Send(path, data) },
			"SendToAll":    func(path string, data any) error { return m.SendToAll(path, data) },
			"SendToUser":   func(path string, data any) error { return m.SendToUser("sara", path, data) },
			"SendToSocket": func(path string, data any) error { return m.SendToSocket(s.ID(), path, data) },
			"Room.Send":    func(path string, data any) error { return m.Room("room").Send(path, data) },
		}
		rows := []struct {
			name, path string
			data       any
			is         error
		}{
			{"no path", "", 1, nil},
			{"a reserved path", "finch.hello", 1, nil},
			{"a path that is too long", strings.Repeat("x", 129), 1, nil},
			{"a path that is no text", "a\xff", 1, nil},
			{"data that is no JSON", "x", make(chan int), nil},
			{"data that is too large", "x", strings.Repeat("x", 5<<10), finch.ErrTooLarge},
			{"bytes that are too many", "x", make([]byte, 5<<10), finch.ErrTooLarge},
		}
		for name, send := range sends {
			for _, row := range rows {
				err := send(row.path, row.data)
				if err == nil || row.is != nil && !errors.Is(err, row.is) {
					t.Errorf("%s with %s: %v", name, row.name, err)
				}
			}
			if err := send("fine", nil); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			c.Expect("fine", nil)
			c.ExpectNothing()
		}
		if err := m.SendToSocket("nobody", "x", 1); !errors.Is(err, finch.ErrNotConnected) {
			t.Errorf("SendToSocket to nobody: %v", err)
		}
	})
}

func TestAnEnvelopeSaysWhatItMust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Header.Set("Accept-Language", "fa-IR, en;q=0.5")
		c := finchtest.ConnectRequest(t, m, r)
		var s *finch.Socket
		for s = range m.Sockets() {
		}
		s.Send("x", "<b>&</b>", finch.WithStatus(206))
		got := c.Expect("x", nil)
		if got.Status != 206 || got.Timestamp != time.Now().UnixMilli() || got.Client != s.ID() || got.Language != "fa-IR" ||
			string(got.Data) != `"<b>&</b>"` || got.Room != "" || !got.ID.IsZero() || !got.Reply.IsZero() {
			t.Errorf("got %s", got)
		}
		m.SendToAll("x", nil)
		if got := c.Expect("x", nil); got.Status != 200 || got.Client != "" || got.Language != "" || string(got.Data) != "null" {
			t.Errorf("to everyone: %s", got)
		}
	})
}

func TestBareTextIsMadeValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c, s := join(t, m, finch.Identity{})
		s.SendText("سلام\xff")
		c.ExpectText("سلام\uFFFD")
	})
}

func TestOnTextGetsWhatIsNoEnvelope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnText: func(ctx context.Context, s *finch.Socket, text string) error { return s.SendText("اکو: " + text) },
		}})
		c := finchtest.Connect(t, m, finch.Identity{})
		for _, text := range []string{"سلام سرور!", "", `"a string"`, `[1,2]`, "12", "null", `{"path":`, "{]"} {
			c.SendText(text)
			c.ExpectText("اکو: " + text)
		}
		c.SendText(`{"path":"x"}`)
		c.Expect("finch.error", nil)
		c.ExpectNothing()
	})
}

// What one goroutine sends reaches a socket in that order, whatever the
// address.
func TestSendsOfOneGoroutineArriveInOrderWhateverTheirAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c, s := join(t, m, finch.Identity{User: "sara"})
		s.Join(t.Context(), "a")
		s.Join(t.Context(), "b")
		sends := []func(n int) error{
			func(n int) error { return s.Send("n", n) },
			func(n int) error { return m.SendToAll("n", n) },
			func(n int) error { return m.Room("a").Send("n", n) },
			func(n int) error { return m.SendToUser("sara", "n", n) },
			func(n int) error { return m.Room("b").Send("n", n) },
			func(n int) error { return m.SendToSocket(s.ID(), "n", n) },
			func(n int) error { return s.SendText(fmt.Sprintf(`{"path":"n","data":%d}`, n)) },
		}
		const count = 2000
		go func() {
			for i := range count {
				if err := sends[(i*i+i/7)%len(sends)](i); err != nil {
					t.Errorf("send %d: %v", i, err)
				}
				if i%50 == 0 {
					time.Sleep(time.Millisecond)
				}
			}
		}()
		for want := range count {
			var n int
			if c.Expect("n", &n); n != want {
				t.Fatalf("got %d, want %d", n, want)
			}
		}
	})
}

func TestCloseOfTheServerRunsOnDisconnectOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var whys []finch.CloseReason
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) { whys = append(whys, why) },
		}})
		c, s := join(t, m, finch.Identity{})
		s.Send("last", "words")
		if err := s.Close(4000, "enough"); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(4001, "again"); !errors.Is(err, finch.ErrClosed) {
			t.Errorf("a second Close: %v", err)
		}
		c.Expect("last", nil)
		if code, reason := c.ExpectClose(); code != 4000 || reason != "enough" {
			t.Errorf("closed with %d %q", code, reason)
		}
		synctest.Wait()
		if want := []finch.CloseReason{{Code: 4000, Reason: "enough", Clean: true}}; !slices.Equal(whys, want) {
			t.Errorf("OnDisconnect saw %+v", whys)
		}
		for name, err := range map[string]error{
			"Send": s.Send("x", 1), "SendText": s.SendText("x"), "Join": s.Join(t.Context(), "room"), "Close": s.Close(0, ""),
		} {
			if !errors.Is(err, finch.ErrClosed) {
				t.Errorf("%s after the end: %v", name, err)
			}
		}
		if err := s.Leave(t.Context(), "room"); err != nil {
			t.Errorf("Leave after the end: %v", err)
		}
	})
}

// What was sent before Close leaves before the close frame, wherever it waits.
func TestWhatWaitsForAReaderLeavesBeforeTheCloseFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		v := waitingClient(t, m, finch.Identity{User: "sara"})
		var s *finch.Socket
		for s = range m.Sockets() {
		}
		s.Join(t.Context(), "room")
		text := strings.Repeat("x", 90_000)
		want := 0
		for range 10 { // within the bounds of the socket and of each address
			for _, send := range []func() error{
				func() error { return s.Send("n", []any{want, text}) },
				func() error { return m.SendToAll("n", []any{want, text}) },
				func() error { return m.Room("room").Send("n", []any{want, text}) },
			} {
				if err := send(); err != nil {
					t.Fatal(err)
				}
				want++
			}
		}
		synctest.Wait()
		if err := s.Close(4000, "enough"); err != nil {
			t.Fatal(err)
		}
		for n := range want {
			var got []any
			if err := json.Unmarshal(v.expect("n").Data, &got); err != nil || got[0] != float64(n) {
				t.Fatalf("got %v, %v; want %d", got[0], err, n)
			}
		}
		if reason := v.expectClose(4000); reason != "enough" {
			t.Errorf("the reason is %q", reason)
		}
	})
}

func TestCloseCodesAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c, s := join(t, m, finch.Identity{})
		for _, code := range []int{1004, 1005, 1006, 1015, 999, 2000, 5000, -1} {
			if err := s.Close(code, ""); err == nil || errors.Is(err, finch.ErrClosed) {
				t.Errorf("Close(%d): %v", code, err)
			}
		}
		if err := s.Close(0, ""); err != nil {
			t.Error(err)
		}
		if code, _ := c.ExpectClose(); code != 1000 {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestCloseInsideItsOwnHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		order := []string{}
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnMessage: func(ctx context.Context, s *finch.Socket, msg *finch.Message) error {
				s.Send("goodbye", nil)
				s.Close(4000, "")
				if ctx.Err() == nil {
					t.Error("the context lives on")
				}
				order = append(order, "handler")
				return s.Send("late", nil)
			},
			OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { order = append(order, "OnDisconnect") },
		}})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Send("x", nil)
		c.Send("never handled", nil)
		c.Expect("goodbye", nil)
		if code, _ := c.ExpectClose(); code != 4000 {
			t.Errorf("closed with %d", code)
		}
		synctest.Wait()
		if !slices.Equal(order, []string{"handler", "OnDisconnect"}) {
			t.Errorf("order %v", order)
		}
	})
}

func TestTheContextEndsWithTheConnection(t *testing.T) {
	ends := map[string]func(c *finchtest.Client, s *finch.Socket){
		"the client closes":   func(c *finchtest.Client, s *finch.Socket) { c.Write(closeFrame(1000)) },
		"the client vanishes": func(c *finchtest.Client, s *finch.Socket) { c.Drop() },
		"we close":            func(c *finchtest.Client, s *finch.Socket) { s.Close(1000, "") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				type key struct{}
				returned := false
				m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
					OnMessage: func(ctx context.Context, s *finch.Socket, msg *finch.Message) error {
						if ctx.Err() != nil || ctx.Value(key{}) != nil {
							t.Error("the context of a live socket has ended")
						}
						if _, has := ctx.Deadline(); has {
							t.Error("the context has a deadline")
						}
						<-ctx.Done() // a handler that waits as long as the client is there
						if !errors.Is(ctx.Err(), context.Canceled) {
							t.Errorf("the context says %v", ctx.Err())
						}
						returned = true
						return nil
					},
					OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
						if ctx.Err() != nil {
							t.Error("the context of OnDisconnect has ended")
						}
						if s.Context().Err() == nil {
							t.Error("the socket's context lives on")
						}
					},
				}})
				c, s := join(t, m, finch.Identity{})
				c.Send("wait", nil)
				synctest.Wait()
				end(c, s)
				time.Sleep(time.Minute)
				synctest.Wait()
				if !returned {
					t.Error("the handler still waits")
				}
				if m.CountClients() != 0 {
					t.Error("the socket still counts")
				}
			})
		})
	}
}

func TestAContextDerivedFromTheSocketsEndsWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c, s := join(t, m, finch.Identity{})
		ctx, cancel := context.WithTimeout(s.Context(), time.Hour)
		defer cancel()
		c.Close(1000, "")
		synctest.Wait()
		if !errors.Is(ctx.Err(), context.Canceled) {
			t.Errorf("it says %v", ctx.Err())
		}
		if late := s.Context(); late.Err() == nil {
			t.Error("a context taken after the end lives")
		}
	})
}

func TestASlowSocketIsClosedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan finch.CloseReason, 1)
		m := finch.NewSocketManager(&finch.SocketManagerOptions{
			Limits: finch.Limits{QueueBytes: 8 << 10},
			Event: finch.SocketEvent{OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				gone <- why
			}},
		})
		server := deafClient(t, m, finch.Identity{User: "slow"})
		fast := finchtest.Connect(t, m, finch.Identity{User: "fast"})
		for i := range 100 {
			if err := m.SendToAll("x", strings.Repeat("x", 1<<10)); err != nil {
				t.Fatalf("send %d: %v", i, err)
			}
			fast.Expect("x", nil)
		}
		if why := <-gone; why.Code != 1013 {
			t.Errorf("closed with %+v", why)
		}
		if st := m.Stats(); st.Slow != 1 || st.Sockets != 1 {
			t.Errorf("stats %+v", st)
		}
		synctest.Wait()
		if q := m.Stats().QueuedBytes; q != 0 {
			t.Errorf("%d bytes are still queued", q)
		}
		server()
	})
}

func TestSendToASlowSocketSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{QueueBytes: 8 << 10}})
		end := deafClient(t, m, finch.Identity{})
		var s *finch.Socket
		for s = range m.Sockets() {
		}
		var err error
		for range 1000 {
			if err = s.Send("x", strings.Repeat("x", 1<<10)); err != nil {
				break
			}
			synctest.Wait()
		}
		if !errors.Is(err, finch.ErrSlow) {
			t.Errorf("Send says %v", err)
		}
		synctest.Wait()
		if err := s.Send("x", 1); err == nil {
			t.Error("a socket that was closed takes more")
		}
		end()
	})
}
