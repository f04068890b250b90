package finchtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// fakeTB is a test that may fail without failing this one.
type fakeTB struct {
	testing.TB // the real one, for what is not overridden

	mu     sync.Mutex
	failed []string
}

func (f *fakeTB) Helper() {}

func (f *fakeTB) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = append(f.failed, fmt.Sprintf(format, args...))
}

func (f *fakeTB) Fatalf(format string, args ...any) {
	f.Errorf(format, args...)
	runtime.Goexit()
}

// failureOf runs what a user's test would do, and answers how it failed; empty
// if it did not.
func failureOf(t *testing.T, do func(t testing.TB)) string {
	t.Helper()
	f := &fakeTB{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		do(f)
	}()
	<-done
	return strings.Join(f.failed, "\n")
}

func wants(t *testing.T, failure string, all ...string) {
	t.Helper()
	if failure == "" {
		t.Fatal("the test did not fail")
	}
	for _, s := range all {
		if !strings.Contains(failure, s) {
			t.Errorf("the failure does not say %q: %s", s, failure)
		}
	}
}

type line struct{ Name, Text string }

func newSockets() *finch.SocketManager {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
		OnText: func(ctx context.Context, s *finch.Socket, text string) error { return s.SendText("echo " + text) },
	}})
	finch.On(m, "chat", func(ctx context.Context, s *finch.Socket, l line) error {
		return m.SendToAll("chat", l, finch.Except(s))
	})
	finch.OnRequest(m, "double", func(ctx context.Context, s *finch.Socket, n int) (int, error) {
		if n < 0 {
			return 0, finch.Errorf(422, "negative", "%d is negative", n)
		}
		return 2 * n, nil
	})
	finch.On(m, "never", func(ctx context.Context, s *finch.Socket, _ any) error { <-ctx.Done(); return nil })
	finch.On(m, "bytes", func(ctx context.Context, s *finch.Socket, b []byte) error { return s.Send("bytes", b) })
	finch.On(m, "bye", func(ctx context.Context, s *finch.Socket, code int) error { return s.Close(code, "as you wish") })
	return m
}

func TestClientsTalkToEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSockets()
		ann, bob := finchtest.Connect(t, m, finch.Identity{User: "ann"}), finchtest.Connect(t, m, finch.Identity{User: "bob"})
		ann.Send("chat", line{"Ann", "hello"})
		var got line
		if r := bob.Expect("chat", &got); got != (line{"Ann", "hello"}) || r.Status != 200 || r.Text == "" {
			t.Errorf("got %+v in %s", got, r)
		}
		ann.ExpectNothing()
		bob.ExpectNothing()
		ann.SendText("سلام")
		ann.ExpectText("echo سلام")
		ann.Send("bytes", []byte{1, 2})
		if r := ann.Expect("bytes", nil); string(r.Binary) != "\x01\x02" || r.String() != "bytes with 2 bytes" {
			t.Errorf("got %s", r)
		}
		if n, err := finchtest.Request[int](ann, "double", 21); n != 42 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
		_, err := finchtest.Request[int](ann, "double", -1)
		var e *finch.Error
		if !errors.As(err, &e) || *e != (finch.Error{Status: 422, Code: "negative", Message: "-1 is negative"}) {
			t.Errorf("got %v", err)
		}
	})
}

func TestExpectTakesMessagesOfOnePathInTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSockets()
		c := finchtest.Connect(t, m, finch.Identity{})
		for i := range 3 {
			m.SendToAll("a", i)
			m.SendToAll("b", i)
		}
		for _, path := range []string{"b", "a"} { // the others stay unread
			for i := range 3 {
				var n int
				if c.Expect(path, &n); n != i {
					t.Errorf("%s: got %d, want %d", path, n, i)
				}
			}
		}
		m.SendToAll("forgotten", 1)
		c.Skip()
		c.ExpectNothing()
	})
}

func TestAFailureTellsAllThatCame(t *testing.T) {
	rows := map[string]struct {
		do   func(t testing.TB, m *finch.SocketManager, c *finchtest.Client)
		says []string
	}{
		"nothing came": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) { c.Expect("news", nil) },
			[]string{`nothing came on "news"`, "nothing has come at all"}},
		"something else came": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			m.SendToAll("read", "first")
			m.SendToAll("weather", "sunny")
			m.SendToAll("picture", []byte{1, 2, 3})
			c.Expect("read", nil)
			c.Expect("news", nil)
		}, []string{`nothing came on "news"`, "3 messages have come, 2 of them unread", `"first"`, `"sunny"`, "picture with 3 bytes"}},
		"the connection ended": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			c.Send("bye", 4001)
			c.Expect("news", nil)
		}, []string{`nothing came on "news"`, "then the connection ended: 4001 as you wish"}},
		"the data does not fit": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			m.SendToAll("news", "text")
			var n int
			c.Expect("news", &n)
		}, []string{"does not fit *int", `"text"`}},
		"another text": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			c.SendText("hello")
			c.ExpectText("hello")
		}, []string{`the text "hello" did not come`, "echo hello"}},
		"something came": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			m.SendToAll("news", "surprise")
			c.ExpectNothing()
		}, []string{"expected nothing", `"surprise"`}},
		"no answer": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			m.SendToAll("weather", "sunny")
			finchtest.Request[int](c, "never", nil)
		}, []string{`no answer on "never"`, `"sunny"`}},
		"no close": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) {
			m.SendToAll("weather", "sunny")
			c.ExpectClose()
		}, []string{"the connection is still open", `"sunny"`}},
		"data that is no JSON": {func(t testing.TB, m *finch.SocketManager, c *finchtest.Client) { c.Send("x", make(chan int)) },
			[]string{"unsupported type"}},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newSockets()
				wants(t, failureOf(t, func(tb testing.TB) {
					row.do(tb, m, finchtest.Connect(tb, m, finch.Identity{}))
				}), row.says...)
			})
		})
	}
}

func TestExpectWaitsForPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSockets()
		c := finchtest.Connect(t, m, finch.Identity{})
		go func() {
			time.Sleep(finchtest.Patience - time.Second)
			m.SendToAll("late", 1)
		}()
		c.Expect("late", nil)
		start := time.Now()
		wants(t, failureOf(t, func(tb testing.TB) { finchtest.Connect(tb, m, finch.Identity{}).Expect("never", nil) }), "never")
		if took := time.Since(start); took != finchtest.Patience {
			t.Errorf("it gave up after %v", took)
		}
	})
}

func TestAHandshakeThatFailsIsTold(t *testing.T) {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: func(*http.Request) (finch.Identity, error) {
		return finch.Identity{}, finch.Errorf(403, "no", "not you")
	}})
	wants(t, failureOf(t, func(tb testing.TB) {
		finchtest.ConnectRequest(tb, m, finchtest.NewRequest("ws://app.test/ws"))
	}), "403", "not you")
}

func TestConnectingAsSomebodyDoesNotAskAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: func(*http.Request) (finch.Identity, error) {
			t.Error("it was asked")
			return finch.Identity{}, nil
		}})
		finchtest.Connect(t, m, finch.Identity{User: "sara"})
		if m.CountUsers() != 1 {
			t.Error("sara is not here")
		}
	})
}

func TestTheClientAnswersTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSockets()
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Answer("name?", func(data json.RawMessage) (any, error) { return "sara", nil })
		c.Answer("age?", func(data json.RawMessage) (any, error) { return nil, finch.Errorf(403, "private", "ask another") })
		c.Answer("shoe?", func(data json.RawMessage) (any, error) { return nil, errors.New("no idea") })
		for s := range m.Sockets() {
			if name, err := finch.Ask[int, string](t.Context(), s, "name?", 1); name != "sara" || err != nil {
				t.Errorf("got %q, %v", name, err)
			}
			if _, err := finch.Ask[int, int](t.Context(), s, "age?", 1); finch.StatusOf(err) != 403 {
				t.Errorf("got %v", err)
			}
			if _, err := finch.Ask[int, int](t.Context(), s, "shoe?", 1); err == nil || !strings.Contains(err.Error(), "no idea") {
				t.Errorf("got %v", err)
			}
		}
		c.ExpectNothing()
	})
}

func TestHowAClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whys := make(chan finch.CloseReason, 1)
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) { whys <- why },
		}})
		finchtest.Connect(t, m, finch.Identity{}).Close(4001, "enough")
		if why := <-whys; why != (finch.CloseReason{Code: 4001, Reason: "enough", Clean: true}) {
			t.Errorf("Close: %+v", why)
		}
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Drop()
		if why := <-whys; why.Code != 1006 || why.Clean {
			t.Errorf("Drop: %+v", why)
		}
		if code, _ := c.ExpectClose(); code != 1006 {
			t.Errorf("its own side says %d", code)
		}
	})
}

func TestAHandlerThatWaitsForItsContextDoesNotOutliveTheTest(t *testing.T) {
	returned := false
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		finch.On(m, "wait", func(ctx context.Context, s *finch.Socket, _ any) error {
			<-ctx.Done()
			returned = true
			return nil
		})
		finchtest.Connect(t, m, finch.Identity{}).Send("wait", nil)
		synctest.Wait() // the handler waits by now
	})
	if !returned {
		t.Error("the handler still waits")
	}
}

func TestItWorksOutsideSynctestToo(t *testing.T) {
	m := newSockets()
	a, b := finchtest.Connect(t, m, finch.Identity{}), finchtest.Connect(t, m, finch.Identity{})
	a.Send("chat", line{"a", "b"})
	b.Expect("chat", nil)
	a.ExpectNothing()
	if n, err := finchtest.Request[int](b, "double", 1); n != 2 || err != nil {
		t.Errorf("got %d, %v", n, err)
	}
	a.Close(1000, "")
	b.Drop()
}

func TestTheConnectionEndsWithTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newSockets()
		f := &cleaner{TB: t}
		finchtest.Connect(f, m, finch.Identity{})
		if m.CountClients() != 1 {
			t.Fatal("nobody is here")
		}
		f.cleanup()
		synctest.Wait()
		if m.CountClients() != 0 {
			t.Error("the client is still here")
		}
	})
}

// cleaner keeps the cleanup of a test for when this one wants it.
type cleaner struct {
	testing.TB
	cleanup func()
}

func (c *cleaner) Cleanup(f func()) { c.cleanup = f }
