package finch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestAMessageReachesTheOtherTab(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type line struct{ Name, Text string }
		m := finch.NewSocketManager(nil)
		finch.On(m, "chat", func(ctx context.Context, s *finch.Socket, in line) error {
			return m.SendToAll("chat", in, finch.Except(s))
		})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		ann.Send("chat", line{"Ann", "hello"})
		var got line
		if bob.Expect("chat", &got); got != (line{"Ann", "hello"}) {
			t.Errorf("got %+v", got)
		}
		bob.ExpectNothing()
		ann.ExpectNothing()
	})
}

func TestNilOptionsAreFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, m := range []*finch.SocketManager{finch.NewSocketManager(nil), finch.NewSocketManager(&finch.SocketManagerOptions{})} {
			c := finchtest.Connect(t, m, finch.Identity{})
			if _, err := finchtest.Request[any](c, "finch.ping", nil); err != nil {
				t.Error(err)
			}
			if m.CountClients() != 1 || m.CountUsers() != 0 {
				t.Errorf("%d clients, %d users", m.CountClients(), m.CountUsers())
			}
		}
	})
}

func TestClientsAndUsersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var atConnect, atDisconnect []string
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				m := s.Manager()
				atConnect = append(atConnect, fmt.Sprint(m.CountClients(), m.CountUsers()))
				return s.Send("welcome", nil)
			},
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				m := s.Manager()
				atDisconnect = append(atDisconnect, fmt.Sprint(m.CountClients(), m.CountUsers()))
			},
		}})
		var clients []*finchtest.Client
		for _, user := range []string{"sara", "sara", "omid", ""} {
			c := finchtest.Connect(t, m, finch.Identity{User: user})
			c.Expect("welcome", nil)
			clients = append(clients, c)
		}
		if want := []string{"1 1", "2 1", "3 2", "4 2"}; !slices.Equal(atConnect, want) {
			t.Errorf("OnConnect saw %q, want %q", atConnect, want)
		}
		if users := slices.Sorted(m.Users()); !slices.Equal(users, []string{"omid", "sara"}) {
			t.Errorf("users %q", users)
		}
		if st := m.Stats(); st.Sockets != 4 || st.Users != 2 || st.Sent != 4 {
			t.Errorf("stats %+v", st)
		}
		for _, c := range clients {
			c.Close(1000, "")
			synctest.Wait()
		}
		if want := []string{"3 2", "2 1", "1 0", "0 0"}; !slices.Equal(atDisconnect, want) {
			t.Errorf("OnDisconnect saw %q, want %q", atDisconnect, want)
		}
	})
}

func TestAUserIsReachedOnAllDevicesAndNobodyElseIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		phone, laptop := finchtest.Connect(t, m, finch.Identity{User: "sara"}), finchtest.Connect(t, m, finch.Identity{User: "sara"})
		omid, nobody := finchtest.Connect(t, m, finch.Identity{User: "omid"}), finchtest.Connect(t, m, finch.Identity{})
		if err := m.SendToUser("sara", "notice", "hello"); err != nil {
			t.Fatal(err)
		}
		phone.Expect("notice", nil)
		laptop.Expect("notice", nil)
		if err := errors.Join(m.SendToUser("stranger", "notice", 1), m.SendToUser("", "notice", 1)); err != nil {
			t.Errorf("to a user who is not here: %v", err)
		}
		for _, c := range []*finchtest.Client{phone, laptop, omid, nobody} {
			c.ExpectNothing()
		}
	})
}

func TestCallbacksRunTheManagersFirstThenTheRoutesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []string
		event := func(name string) finch.SocketEvent {
			return finch.SocketEvent{
				OnConnect:    func(context.Context, *finch.Socket) error { ran = append(ran, "+"+name); return nil },
				OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { ran = append(ran, "-"+name) },
			}
		}
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: event("manager"), Routes: map[string]finch.SocketEvent{"z": event("z")}})
		m.AddRoutes(map[string]finch.SocketEvent{"b": event("b"), "c": event("c")}) // of one map: by alphabet
		m.AddRoutes(map[string]finch.SocketEvent{"a": event("a")})
		c := finchtest.Connect(t, m, finch.Identity{})
		synctest.Wait()
		c.Close(1000, "")
		synctest.Wait()
		if want := []string{"+manager", "+z", "+b", "+c", "+a", "-manager", "-z", "-b", "-c", "-a"}; !slices.Equal(ran, want) {
			t.Errorf("ran %v, want %v", ran, want)
		}
	})
}

func TestAnErrorOfOnConnectClosesTheSocketWithItsCode(t *testing.T) {
	rows := []struct {
		err  error
		code int
	}{
		{finch.Errorf(401, "sign_in", "sign in first"), 4401},
		{finch.Errorf(403, "banned", "sign in first"), 4403},
		{finch.Errorf(429, "too_many", "sign in first"), 4429},
		{finch.Errorf(503, "full", "sign in first"), 1013},
		{finch.Errorf(422, "odd", "sign in first"), 1008},
		{fmt.Errorf("wrapped: %w", finch.Errorf(401, "sign_in", "sign in first")), 4401},
		{errors.New("our own business"), 1011},
	}
	for _, row := range rows {
		t.Run(row.err.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var ran []string
				logger, book := newLogbook()
				m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger,
					Event: finch.SocketEvent{
						OnConnect:    func(ctx context.Context, s *finch.Socket) error { s.Send("hello", nil); return row.err },
						OnMessage:    func(context.Context, *finch.Socket, *finch.Message) error { ran = append(ran, "OnMessage"); return nil },
						OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { ran = append(ran, "OnDisconnect") },
					},
					Routes: map[string]finch.SocketEvent{"a": {
						OnConnect: func(context.Context, *finch.Socket) error { ran = append(ran, "OnConnect of a"); return nil },
					}},
				})
				c := finchtest.Connect(t, m, finch.Identity{})
				c.Expect("hello", nil) // what was sent before leaves
				code, reason := c.ExpectClose()
				synctest.Wait()
				if code != row.code {
					t.Errorf("closed with %d, want %d", code, row.code)
				}
				if row.code == 1011 {
					book.wants(t, "our own business")
					if reason == row.err.Error() {
						t.Error("the client was told what is ours")
					}
				} else if reason != "sign in first" {
					t.Errorf("the reason is %q", reason)
				}
				if !slices.Equal(ran, []string{"OnDisconnect"}) {
					t.Errorf("ran %v", ran)
				}
			})
		})
	}
}

// OnDisconnect runs once, and not before OnConnect has returned.
func TestAClientThatVanishesDuringOnConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ran []string
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				time.Sleep(time.Minute)
				ran = append(ran, "OnConnect")
				return nil
			},
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				ran = append(ran, fmt.Sprint("OnDisconnect ", why.Code))
			},
		}})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Drop()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if !slices.Equal(ran, []string{"OnConnect", "OnDisconnect 1006"}) {
			t.Errorf("ran %v", ran)
		}
	})
}

func TestAClientThatVanishesIsNoticedByItsSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := make(chan finch.CloseReason, 1)
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Heartbeat: 10 * time.Second, Event: finch.SocketEvent{
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) { gone <- why },
		}})
		deafClient(t, m, finch.Identity{})
		start := time.Now()
		if why := <-gone; why.Code != 4408 || why.Clean {
			t.Errorf("closed with %+v", why)
		}
		if took := time.Since(start); took < 30*time.Second || took > 40*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if m.CountClients() != 0 {
			t.Error("it still counts")
		}
	})
}

func TestClosingReachesOneAUserAndAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		var all []*finchtest.Client
		for _, user := range []string{"sara", "sara", "omid", "", ""} {
			all = append(all, finchtest.Connect(t, m, finch.Identity{User: user}))
		}
		if n := m.User("sara").CloseSockets(4001, "signed out"); n != 2 {
			t.Errorf("closed %d of a user", n)
		}
		for _, c := range all[:2] {
			if code, _ := c.ExpectClose(); code != 4001 {
				t.Errorf("closed with %d", code)
			}
		}
		if n := m.Everyone().CloseSockets(1012, ""); n != 3 {
			t.Errorf("closed %d", n)
		}
		for _, c := range all[2:] {
			if code, _ := c.ExpectClose(); code != 1012 {
				t.Errorf("closed with %d", code)
			}
		}
		synctest.Wait()
		if st := m.Stats(); st.Sockets != 0 || st.Users != 0 || st.QueuedBytes != 0 {
			t.Errorf("stats %+v", st)
		}
	})
}

func TestAManagerMayBeUsedByManyGoroutines(t *testing.T) {
	m := finch.NewSocketManager(nil) // outside a bubble: -race sees real concurrency
	finch.On(m, "chat", func(ctx context.Context, s *finch.Socket, n int) error { return m.SendToAll("chat", n) })
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				c := finchtest.Connect(t, m, finch.Identity{User: fmt.Sprint(g % 3)})
				for s := range m.Sockets() {
					s.Join(t.Context(), "room")
					s.Set("k", i)
				}
				if _, err := finchtest.Request[any](c, "chat", i); err != nil {
					t.Error(err)
				}
				m.Room("room").Send("x", i)
				m.SendToUser("1", "x", i)
				m.Stats()
				c.Close(1000, "")
			}
		})
	}
	wg.Wait()
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if st := m.Stats(); st.Sockets != 0 || st.Users != 0 || st.Rooms != 0 {
		t.Errorf("stats %+v", st)
	}
}

func TestACallbackMayCallAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type last struct {
			User    string
			Rooms   []string
			Value   any
			Clients int
		}
		m := finch.NewSocketManager(&finch.SocketManagerOptions{
			Event: finch.SocketEvent{
				OnConnect: func(ctx context.Context, s *finch.Socket) error {
					s.Set("seen", "yes")
					return s.Join(ctx, "lobby")
				},
				OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
					if s.Manager().Socket(s.ID()) != nil || s.Send("x", 1) == nil || s.Join(ctx, "x") == nil {
						t.Error("a socket that has ended can be reached")
					}
					s.Manager().SendToAll("left", last{s.User(), s.Rooms(), s.Get("seen"), s.Manager().CountClients()})
				},
			},
			Routes: map[string]finch.SocketEvent{"out": {OnMessage: func(ctx context.Context, s *finch.Socket, msg *finch.Message) error {
				if n := s.Manager().User("sara").CloseSockets(4000, "out"); n != 1 {
					t.Errorf("closed %d", n)
				}
				return msg.Reply("done")
			}}},
		})
		finchtest.Connect(t, m, finch.Identity{User: "sara"})
		omid := finchtest.Connect(t, m, finch.Identity{User: "omid"})
		if got, err := finchtest.Request[string](omid, "out", nil); got != "done" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
		var got last
		if omid.Expect("left", &got); got.User != "sara" || got.Value != "yes" || got.Clients != 1 || !slices.Equal(got.Rooms, []string{"lobby"}) {
			t.Errorf("OnDisconnect saw %+v", got)
		}
	})
}

// As the guide does it: the callbacks are part of the variable's own
// initialisation, and reach the manager through the socket or the App.
var (
	packageApp     = finch.NewApp(nil)
	packageManager = finch.NewSocketManager(&finch.SocketManagerOptions{
		App: packageApp,
		Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				return s.Manager().SendToAll("output", fmt.Sprintf("کاربر جدید متصل شد! تعداد: %d", packageApp.SocketManager().CountClients()))
			},
		},
	})
)

func TestPackageLevelVariablesWorkAsInTheGuide(t *testing.T) {
	if packageApp.SocketManager() != packageManager {
		t.Fatal("the App does not answer its manager")
	}
	c := finchtest.Connect(t, packageManager, finch.Identity{})
	var text string
	if c.Expect("output", &text); text != "کاربر جدید متصل شد! تعداد: 1" {
		t.Errorf("got %q", text)
	}
	c.Close(1000, "")
}
