package finch_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// handlers make a manager of handlers by path.
func handlers(o finch.SocketManagerOptions, on map[string]func(ctx context.Context, s *finch.Socket, m *finch.Message) error) *finch.SocketManager {
	m := finch.NewSocketManager(&o)
	for path, f := range on {
		m.AddRoutes(map[string]finch.SocketEvent{path: {OnMessage: f}})
	}
	return m
}

func TestARequestIsAnsweredExactlyOnce(t *testing.T) {
	rows := []struct {
		name   string
		handle func(m *finch.Message) error
		status int
		answer string // of the data, or of the error's code
	}{
		{"no reply", func(m *finch.Message) error { return nil }, 200, "null"},
		{"a reply", func(m *finch.Message) error { return m.Reply(7) }, 200, "7"},
		{"a reply with a status", func(m *finch.Message) error { return m.Reply(7, finch.WithStatus(201)) }, 201, "7"},
		{"two replies", func(m *finch.Message) error { m.Reply(1); return m.Reply(2) }, 200, "1"},
		{"an error for the client", func(m *finch.Message) error { return finch.Errorf(409, "taken", "choose another") }, 409, "taken"},
		{"an error for us", func(m *finch.Message) error { return errors.New("secret") }, 500, "internal"},
		{"a reply and an error", func(m *finch.Message) error { m.Reply(1); return errors.New("secret") }, 200, "1"},
		{"two replies and an error", func(m *finch.Message) error { m.Reply(1); m.Reply(2); return errors.New("secret") }, 200, "1"},
		{"a panic", func(m *finch.Message) error { panic("secret") }, 500, "internal"},
		{"a reply and a panic", func(m *finch.Message) error { m.Reply(1); panic("secret") }, 200, "1"},
		{"a reply that cannot be encoded", func(m *finch.Message) error { return m.Reply(make(chan int)) }, 500, "bad_data"},
		{"a reply that cannot be encoded, then one that can", func(m *finch.Message) error { m.Reply(make(chan int)); return m.Reply(2) }, 200, "2"},
		{"a reply that comes too late", func(m *finch.Message) error {
			go func() {
				time.Sleep(time.Second)
				m.Reply("late")
			}()
			return nil
		}, 200, "null"},
		{"a status that is no error", func(m *finch.Message) error { return finch.Errorf(200, "odd", "?") }, 500, "odd"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, _ := newLogbook()
				m := handlers(finch.SocketManagerOptions{Logger: logger}, map[string]func(context.Context, *finch.Socket, *finch.Message) error{
					"do": func(ctx context.Context, s *finch.Socket, msg *finch.Message) error { return row.handle(msg) },
				})
				c := finchtest.Connect(t, m, finch.Identity{})
				c.SendText(`{"path":"do","id":"q1"}`)
				r := c.Expect("do", nil)
				got := string(r.Data)
				if r.Error != nil {
					got = r.Error.Code
				}
				if r.Reply.String() != "q1" || r.Status != row.status || got != row.answer {
					t.Errorf("answered %s, want %d %s", r, row.status, row.answer)
				}
				if strings.Contains(r.Text, "secret") {
					t.Errorf("the client was told what is ours: %s", r)
				}
				time.Sleep(time.Minute)
				c.ExpectNothing()
			})
		})
	}
}

func TestAMessageWithoutIDIsNotAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newLogbook()
		m := handlers(finch.SocketManagerOptions{Logger: logger}, map[string]func(context.Context, *finch.Socket, *finch.Message) error{
			"do": func(ctx context.Context, s *finch.Socket, m *finch.Message) error { return m.Reply("nobody asked") },
			"fail": func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				return errors.New("a failure of ours")
			},
			"mean": func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				return finch.Errorf(409, "taken", "no answer carries it")
			},
		})
		c := finchtest.Connect(t, m, finch.Identity{User: "sara"})
		for _, path := range []string{"do", "fail", "mean"} {
			c.Send(path, nil)
		}
		c.ExpectNothing()
		book.wants(t, "a failure of ours", "no answer carries it", "path=fail", "user=sara")
	})
}

func TestAnIntegerIDComesBackAsAnInteger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := handlers(finch.SocketManagerOptions{}, map[string]func(context.Context, *finch.Socket, *finch.Message) error{
			"do": func(ctx context.Context, s *finch.Socket, m *finch.Message) error { return m.Reply(m.ID) },
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.SendText(`{"path":"do","id":7}`)
		if r := c.Expect("do", nil); !strings.Contains(r.Text, `"reply":7,`) || string(r.Data) != `"7"` {
			t.Errorf("answered %s", r)
		}
	})
}

func TestAnUnknownPathIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c := finchtest.Connect(t, m, finch.Identity{})
		if _, err := finchtest.Request[any](c, "nowhere", 1); finch.StatusOf(err) != 404 {
			t.Errorf("with an id: %v", err)
		}
		c.ExpectNothing()
		c.Send("nowhere", 1)
		var about struct{ Path string }
		r := c.Expect("finch.error", &about)
		if r.Status != 404 || r.Error == nil || r.Error.Code != "unknown_path" || about.Path != "nowhere" {
			t.Errorf("without an id: %s", r)
		}
		c.ExpectNothing()
	})
}

func TestTheManagersOnMessageGetsWhatNoRouteHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		said := func(who string) func(context.Context, *finch.Socket, *finch.Message) error {
			return func(ctx context.Context, s *finch.Socket, m *finch.Message) error { return m.Reply(who + " " + m.Path) }
		}
		m := finch.NewSocketManager(&finch.SocketManagerOptions{
			Event: finch.SocketEvent{OnMessage: said("manager")},
			Routes: map[string]finch.SocketEvent{
				"mine": {OnMessage: said("route")},
				"mute": {OnConnect: func(context.Context, *finch.Socket) error { return nil }}, // has no OnMessage
			},
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		for path, want := range map[string]string{"mine": "route mine", "mute": "manager mute", "other": "manager other"} {
			if got, err := finchtest.Request[string](c, path, nil); got != want || err != nil {
				t.Errorf("%s was handled by %q, %v", path, got, err)
			}
		}
	})
}

func TestARouteWithoutOnMessageDoesNotCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Routes: map[string]finch.SocketEvent{"mute": {}}})
		c := finchtest.Connect(t, m, finch.Identity{})
		if _, err := finchtest.Request[any](c, "mute", nil); finch.StatusOf(err) != 404 {
			t.Errorf("answered %v", err)
		}
	})
}

func TestAPanicCostsOneSocket(t *testing.T) {
	rows := []struct {
		name string
		on   finch.SocketEvent
		do   func(c *finchtest.Client)
	}{
		{"of OnMessage", finch.SocketEvent{OnMessage: func(context.Context, *finch.Socket, *finch.Message) error { panic("kaboom") }},
			func(c *finchtest.Client) { c.Send("x", 1) }},
		{"of OnText", finch.SocketEvent{OnText: func(context.Context, *finch.Socket, string) error { panic("kaboom") }},
			func(c *finchtest.Client) { c.SendText("x") }},
		{"of OnConnect", finch.SocketEvent{OnConnect: func(ctx context.Context, s *finch.Socket) error {
			if s.User() == "unlucky" {
				panic("kaboom")
			}
			return nil
		}}, func(c *finchtest.Client) {}},
		{"with an error", finch.SocketEvent{OnMessage: func(context.Context, *finch.Socket, *finch.Message) error { panic(errors.New("kaboom")) }},
			func(c *finchtest.Client) { c.Send("x", 1) }},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, book := newLogbook()
				var gone atomic.Int32
				row.on.OnDisconnect = func(context.Context, *finch.Socket, finch.CloseReason) { gone.Add(1) }
				m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: row.on, Logger: logger})
				other := finchtest.Connect(t, m, finch.Identity{User: "lucky"})
				c := finchtest.Connect(t, m, finch.Identity{User: "unlucky"})
				row.do(c)
				if code, reason := c.ExpectClose(); code != 1011 || strings.Contains(reason, "kaboom") {
					t.Errorf("closed with %d %q", code, reason)
				}
				synctest.Wait()
				book.wants(t, "kaboom", "stack=", "dispatch_test.go")
				if n := m.Stats().Panics; n != 1 {
					t.Errorf("%d panics were counted", n)
				}
				if n := gone.Load(); n != 1 {
					t.Errorf("OnDisconnect ran %d times", n)
				}
				if m.CountClients() != 1 {
					t.Errorf("%d sockets are left", m.CountClients())
				}
				m.SendToAll("alive", nil)
				other.Expect("alive", nil)
			})
		})
	}
}

func TestAPanicOfOnDisconnectIsCountedAndTheOthersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logger, book := newLogbook()
		ran := false
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger,
			Event: finch.SocketEvent{
				OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { panic("kaboom") },
			},
			Routes: map[string]finch.SocketEvent{"a": {OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { ran = true }}},
		})
		finchtest.Connect(t, m, finch.Identity{}).Close(1000, "")
		synctest.Wait()
		if book.wants(t, "kaboom"); !ran || m.Stats().Panics != 1 {
			t.Errorf("ran %v, %d panics", ran, m.Stats().Panics)
		}
		if err := m.Shutdown(t.Context()); err != nil {
			t.Errorf("Shutdown: %v", err)
		}
	})
}

func TestAHandlersErrorGoesToOnErrorOfTheRouteElseOfTheManager(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours := errors.New("ours")
		var got []string
		onError := func(who string) func(context.Context, *finch.Socket, error) {
			return func(ctx context.Context, s *finch.Socket, err error) {
				if !errors.Is(err, ours) {
					t.Errorf("%s got %v", who, err)
				}
				got = append(got, who)
			}
		}
		fail := func(context.Context, *finch.Socket, *finch.Message) error { return fmt.Errorf("wrapped: %w", ours) }
		logger, book := newLogbook()
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger,
			Event: finch.SocketEvent{OnMessage: fail, OnError: onError("manager")},
			Routes: map[string]finch.SocketEvent{
				"a": {OnMessage: fail, OnError: onError("a")},
				"b": {OnMessage: fail},
			},
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		for _, path := range []string{"a", "b", "c"} {
			if _, err := finchtest.Request[any](c, path, nil); finch.StatusOf(err) != 500 {
				t.Errorf("%s was answered %v", path, err)
			}
		}
		synctest.Wait() // OnError comes after the answer
		if want := []string{"a", "manager", "manager"}; !slices.Equal(got, want) {
			t.Errorf("OnError of %v, want %v", got, want)
		}
		book.lacks(t, "ours") // log or hand over, not both
	})
}

func TestOnErrorIsNotAskedForAnErrorThatTheClientGot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnMessage: func(context.Context, *finch.Socket, *finch.Message) error { return finch.Errorf(403, "no", "no") },
			OnError:   func(context.Context, *finch.Socket, error) { asked++ },
		}})
		c := finchtest.Connect(t, m, finch.Identity{})
		if _, err := finchtest.Request[any](c, "x", nil); finch.StatusOf(err) != 403 {
			t.Errorf("answered %v", err)
		}
		synctest.Wait()
		if asked != 0 {
			t.Error("OnError was asked")
		}
	})
}

func TestMessagesOfOneSocketAreHandledInOrderOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		var inside atomic.Int32
		m := finch.NewSocketManager(nil)
		finch.On(m, "n", func(ctx context.Context, s *finch.Socket, n int) error {
			if inside.Add(1) != 1 {
				t.Error("two handlers of one socket ran at once")
			}
			time.Sleep(time.Millisecond)
			got = append(got, n)
			inside.Add(-1)
			return nil
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		for i := range 100 {
			c.Send("n", i)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if len(got) != 100 || !slices.IsSorted(got) {
			t.Errorf("handled %v", got)
		}
	})
}

func TestHandlersOfDifferentSocketsRunAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		meet := make(chan struct{})
		finch.On(m, "wait", func(context.Context, *finch.Socket, any) error { <-meet; return nil })
		finch.On(m, "go", func(context.Context, *finch.Socket, any) error { close(meet); return nil })
		a, b := finchtest.Connect(t, m, finch.Identity{}), finchtest.Connect(t, m, finch.Identity{})
		a.Send("wait", nil)
		if _, err := finchtest.Request[any](b, "go", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestAMessageKeepsWhatFinchDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := handlers(finch.SocketManagerOptions{}, map[string]func(context.Context, *finch.Socket, *finch.Message) error{
			"stream": func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				var more struct{ Blob []int }
				if err := json.Unmarshal(m.Raw, &more); err != nil {
					return err
				}
				return s.Send("blob", more.Blob)
			},
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.SendText(`{"path":"stream","blob":[1,2,3],"later":{"a":null}}`)
		var blob []int
		if c.Expect("blob", &blob); !slices.Equal(blob, []int{1, 2, 3}) {
			t.Errorf("got %v", blob)
		}
	})
}

func TestBinaryTravelsBothWays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := handlers(finch.SocketManagerOptions{}, map[string]func(context.Context, *finch.Socket, *finch.Message) error{
			"picture": func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				if m.Binary == nil || m.Data != nil || m.Raw != nil {
					t.Errorf("got %d bytes, data %s, raw %s", len(m.Binary), m.Data, m.Raw)
				}
				return s.Send("back", append(m.Binary, '!'))
			},
		})
		finch.On(m, "typed", func(ctx context.Context, s *finch.Socket, b []byte) error { return s.Send("back", b) })
		c := finchtest.Connect(t, m, finch.Identity{})
		for _, b := range [][]byte{{}, {0, 255, 128, 10}, make([]byte, 60_000)} {
			c.Send("picture", b)
			if r := c.Expect("back", nil); string(r.Binary) != string(b)+"!" || r.Status != 200 || r.Timestamp == 0 {
				t.Errorf("sent %d bytes, got %d back, %+v", len(b), len(r.Binary), r.Envelope)
			}
		}
		c.Send("typed", []byte{1, 2})
		if r := c.Expect("back", nil); string(r.Binary) != "\x01\x02" {
			t.Errorf("got %v", r.Binary)
		}
		if _, err := finchtest.Request[any](c, "typed", "text"); finch.StatusOf(err) != 400 {
			t.Errorf("JSON for bytes was answered %v", err)
		}
	})
}
