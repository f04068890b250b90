package finch_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestAskInsideAHandlerGetsTheAnswerThatOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		finch.OnRequest(m, "buy", func(ctx context.Context, s *finch.Socket, item string) (string, error) {
			sure, err := finch.Ask[string, bool](ctx, s, "sure?", item)
			if err != nil || !sure {
				return "kept", err
			}
			return "sold", nil
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Answer("sure?", func(data json.RawMessage) (any, error) { return string(data) == `"boat"`, nil })
		for item, want := range map[string]string{"boat": "sold", "house": "kept"} {
			if got, err := finchtest.Request[string](c, "buy", item); got != want || err != nil {
				t.Errorf("%s was %q, %v", item, got, err)
			}
		}
	})
}

// asked connects a client by hand, asks it something, and answers what Ask
// returned once the client has done its part.
func asked(t *testing.T, ctx context.Context, do func(c *finchtest.Client, s *finch.Socket, id string)) (string, error) {
	t.Helper()
	m := finch.NewSocketManager(nil)
	c, s := join(t, m, finch.Identity{})
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := finch.Ask[int, string](ctx, s, "q", 1)
		done <- result{text, err}
	}()
	q := c.Expect("q", nil)
	if q.ID.IsZero() || string(q.Data) != "1" || q.Client != s.ID() {
		t.Errorf("the question is %s", q)
	}
	do(c, s, q.ID.String())
	r := <-done
	if s.Context().Err() == nil {
		if _, err := finchtest.Request[any](c, "finch.ping", nil); err != nil {
			t.Errorf("the socket does not live on: %v", err)
		}
	}
	return r.text, r.err
}

func TestWhatAskReturns(t *testing.T) {
	rows := []struct {
		name   string
		answer string // % is the id
		text   string
		err    *finch.Error
	}{
		{"an answer", `{"path":"q","reply":%,"data":"yes"}`, "yes", nil},
		{"an answer without a path", `{"reply":%,"data":"yes"}`, "yes", nil},
		{"an answer without data", `{"reply":%}`, "", nil},
		{"an error", `{"reply":%,"status":409,"error":{"code":"busy","message":"later"}}`, "", &finch.Error{Status: 409, Code: "busy", Message: "later"}},
		{"a bare status", `{"reply":%,"status":404}`, "", &finch.Error{Status: 404, Code: "refused", Message: "the client refused"}},
		{"data that does not fit", `{"reply":%,"data":[1]}`, "", &finch.Error{Status: 400, Code: "bad_data", Message: "data cannot be a JSON array"}},
		{"an answer that is broken", `{"reply":%,"status":"x"}`, "", &finch.Error{Status: 400, Code: "bad_envelope"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text, err := asked(t, t.Context(), func(c *finchtest.Client, s *finch.Socket, id string) {
					c.SendText(strings.Replace(row.answer, "%", id, 1))
				})
				if text != row.text || (err == nil) != (row.err == nil) {
					t.Fatalf("got %q, %v", text, err)
				}
				var e *finch.Error
				if row.err == nil {
					return
				}
				if !errors.As(err, &e) || e.Status != row.err.Status || e.Code != row.err.Code || row.err.Message != "" && e.Message != row.err.Message {
					t.Errorf("got %v, want %v", err, row.err)
				}
			})
		})
	}
}

func TestAskEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		start := time.Now()
		_, err := asked(t, ctx, func(c *finchtest.Client, s *finch.Socket, id string) {
			time.Sleep(4 * time.Second)
			c.SendText(`{"reply":` + id + `,"data":"too late"}`) // and is dropped
			c.ExpectNothing()
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Ask returned %v", err)
		}
		if took := time.Since(start); took < 3*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAskEndsWithTheSocket(t *testing.T) {
	ends := map[string]func(c *finchtest.Client, s *finch.Socket, id string){
		"the client closes":   func(c *finchtest.Client, s *finch.Socket, id string) { c.Close(1000, "") },
		"the client vanishes": func(c *finchtest.Client, s *finch.Socket, id string) { c.Drop() },
		"we close":            func(c *finchtest.Client, s *finch.Socket, id string) { s.Close(1000, "") },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if _, err := asked(t, t.Context(), func(c *finchtest.Client, s *finch.Socket, id string) {
					end(c, s, id)
					synctest.Wait()
					if s.Context().Err() == nil {
						t.Error("the socket lives on")
					}
				}); !errors.Is(err, finch.ErrClosed) {
					t.Errorf("Ask returned %v", err)
				}
			})
		})
	}
}

// A polite client that leaves while a handler waits for its answer must not
// make the handler wait for ever, nor itself.
func TestAskInsideAHandlerEndsWhenTheClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan error, 1)
		m := finch.NewSocketManager(nil)
		finch.On(m, "start", func(ctx context.Context, s *finch.Socket, _ any) error {
			_, err := finch.Ask[int, int](ctx, s, "q", 1)
			got <- err
			return nil
		})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Send("start", nil)
		c.Expect("q", nil)
		start := time.Now()
		c.Close(1000, "")
		if err := <-got; !errors.Is(err, finch.ErrClosed) {
			t.Errorf("Ask returned %v", err)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAskFailsAtOnceWhenTheInboxIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := make(chan error, 2)
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{InboxMessages: 1}})
		begin := make(chan struct{})
		finch.On(m, "start", func(ctx context.Context, s *finch.Socket, _ any) error {
			<-begin
			_, err := finch.Ask[int, int](ctx, s, "q", 1)
			got <- err
			return nil
		})
		finch.On(m, "other", func(context.Context, *finch.Socket, any) error { return nil })
		c := finchtest.Connect(t, m, finch.Identity{})
		c.Send("start", nil)
		synctest.Wait()
		c.Send("other", nil) // fills the inbox
		synctest.Wait()
		close(begin)
		if err := <-got; !errors.Is(err, finch.ErrInboxFull) {
			t.Errorf("Ask returned %v", err)
		}
		synctest.Wait()
		// And so does a question that was asked before.
		begin = make(chan struct{})
		close(begin)
		c.Send("start", nil)
		c.Expect("q", nil)
		c.Send("other", nil)
		if err := <-got; !errors.Is(err, finch.ErrInboxFull) {
			t.Errorf("Ask returned %v", err)
		}
	})
}

func TestAskRefusesAPathThatCannotBeOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		_, s := join(t, m, finch.Identity{})
		for _, path := range []string{"", "finch.x"} {
			if _, err := finch.Ask[int, int](t.Context(), s, path, 1); err == nil {
				t.Errorf("path %q was taken", path)
			}
		}
		if _, err := finch.Ask[chan int, int](t.Context(), s, "x", nil); err == nil {
			t.Error("a channel was sent")
		}
	})
}

func TestQuestionsToOneSocketAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c, s := join(t, m, finch.Identity{})
		c.Answer("double", func(data json.RawMessage) (any, error) {
			var n int
			json.Unmarshal(data, &n)
			return 2 * n, nil
		})
		done := make(chan bool)
		for i := range 20 {
			go func() {
				n, err := finch.Ask[int, int](t.Context(), s, "double", i)
				done <- err == nil && n == 2*i
			}()
		}
		for range 20 {
			if !<-done {
				t.Error("an answer went to another question")
			}
		}
	})
}

func TestAnAnswerToNothingIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		called := false
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Event: finch.SocketEvent{
			OnMessage: func(context.Context, *finch.Socket, *finch.Message) error { called = true; return nil },
		}})
		c := finchtest.Connect(t, m, finch.Identity{})
		c.SendText(`{"path":"x","reply":77,"data":1}`)
		c.SendText(`{"reply":"x"}`)
		c.ExpectNothing()
		if called {
			t.Error("an answer was handled as a message")
		}
	})
}
