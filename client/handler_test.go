package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/protocol"
)

// event sends an event of the server.
func (c *conn) event(path, data string) {
	c.Send(protocol.Envelope{Path: path, Status: 200, Data: json.RawMessage(data)})
}

// asks sends a question of the server and returns the client's answer.
func (c *conn) asks(path, data string, id int64) protocol.Envelope {
	c.w.Helper()
	c.Send(protocol.Envelope{Path: path, Status: 200, ID: protocol.IntID(id), Data: json.RawMessage(data)})
	m := c.take(path)
	if m.Reply != protocol.IntID(id) {
		c.w.Fatalf("%v does not answer %d", m, id)
	}
	return m.Envelope
}

func TestHandlersTakeTypes(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		type point struct{ X, Y int }
		var got []any
		client.On(c, "point", func(ctx context.Context, p point) error { got = append(got, p); return nil })
		client.On(c, "bytes", func(ctx context.Context, b []byte) error { got = append(got, string(b)); return nil })
		client.On(c, "raw", func(ctx context.Context, r json.RawMessage) error { got = append(got, string(r)); return nil })
		client.On(c, "whole", func(ctx context.Context, m *client.Message) error {
			got = append(got, fmt.Sprint(m.Path, string(m.Data), m.Time.UnixMilli()))
			return nil
		})
		client.OnRequest(c, "sum", func(ctx context.Context, p point) (int, error) {
			if p.X < 0 {
				return 0, client.Errorf(422, "negative", "%d is negative", p.X)
			}
			return p.X + p.Y, nil
		})
		conn := w.open(c)
		conn.event("point", `{"X":1,"Y":2}`)
		conn.event("point", `"no point"`)
		conn.SendBinary(protocol.Envelope{Path: "bytes", Status: 200}, []byte{1, 2})
		conn.event("bytes", `"AQI="`)
		conn.event("raw", `[1]`)
		conn.Send(protocol.Envelope{Path: "whole", Status: 200, Timestamp: 7, Data: json.RawMessage("3")})
		synctest.Wait()
		if want := []any{point{1, 2}, "\x01\x02", "[1]", "whole37"}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("handled %v, want %v", got, want)
		}
		if a := conn.asks("sum", `{"X":1,"Y":2}`, 1); string(a.Data) != "3" || a.Status != 200 {
			t.Errorf("the answer is %+v", a)
		}
		if a := conn.asks("sum", `{"X":-1}`, 2); a.Status != 422 || a.Error.Code != "negative" || a.Error.Message != "-1 is negative" {
			t.Errorf("the refusal is %+v", a)
		}
		if a := conn.asks("sum", `[]`, 3); a.Status != 400 || a.Error.Code != "bad_data" {
			t.Errorf("bad data was answered %+v", a)
		}
		if a := conn.asks("point", `{}`, 4); a.Error != nil || string(a.Data) != "null" {
			t.Errorf("a handler without an answer answered %+v", a)
		}
	})
}

func TestAHandlersOwnErrorIsNotTold(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		client.OnRequest(c, "x", func(ctx context.Context, _ any) (any, error) { return nil, errors.New("password is 1234") })
		client.OnRequest(c, "y", func(ctx context.Context, _ any) (any, error) { return make(chan int), nil })
		conn := w.open(c)
		for i, path := range []string{"x", "y"} {
			if a := conn.asks(path, "null", int64(i+1)); a.Status != 500 || a.Error.Code != "internal" || strings.Contains(a.Error.Message, "1234") {
				t.Errorf("%s was answered %+v", path, a.Error)
			}
		}
	})
}

func TestAHandlerMayAskWhileOthersWait(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		var order []string
		client.On(c, "go", func(ctx context.Context, n int) error {
			answer, err := client.Request[int, string](ctx, c, "what", n)
			order = append(order, answer)
			return err
		})
		conn := w.open(c)
		for i := range 3 {
			conn.event("go", fmt.Sprint(i))
		}
		for i := range 3 {
			conn.Answer(conn.take("what"), fmt.Sprintf(`"answer %d"`, i))
		}
		synctest.Wait()
		if want := "[answer 0 answer 1 answer 2]"; fmt.Sprint(order) != want {
			t.Errorf("got %v, want %v", order, want)
		}
	})
}

func TestARequestOfAHandlerFailsWhenItsAnswerCannotBeRead(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{InboxBytes: 2000})
		got := make(chan error, 2)
		handled := 0
		client.On(c, "go", func(ctx context.Context, _ any) error {
			_, err := client.Request[any, any](ctx, c, "what", nil)
			got <- err
			_, err = client.Request[any, any](ctx, c, "what", nil)
			got <- err
			return nil
		})
		client.On(c, "flood", func(ctx context.Context, _ string) error { handled++; return nil })
		conn := w.open(c)
		conn.event("go", "null")
		conn.take("what")
		begun := time.Now()
		go func() {
			for range 20 {
				conn.event("flood", `"`+strings.Repeat("x", 300)+`"`)
			}
		}()
		wantError(t, "the question under way", <-got, client.ErrInboxFull)
		wantError(t, "the next question", <-got, client.ErrInboxFull)
		if took := time.Since(begun); took > 0 {
			t.Errorf("that took %v", took)
		}
		synctest.Wait()
		if handled != 20 {
			t.Errorf("%d of 20 messages were handled", handled)
		}
	})
}

func TestASlowHandlerHoldsUpTheConnectionAndLosesNothing(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{InboxBytes: 1000, Heartbeat: -1})
		release := make(chan struct{})
		var got []int
		client.On(c, "n", func(ctx context.Context, n int) error {
			<-release
			got = append(got, n)
			return nil
		})
		conn := w.open(c)
		sent := 0
		go func() {
			for i := range 200 {
				conn.event("n", fmt.Sprint(i))
				sent++
			}
		}()
		synctest.Wait()
		if sent > 150 {
			t.Errorf("%d messages were taken that nobody handles", sent)
		}
		close(release)
		synctest.Wait()
		for i, n := range got {
			if i != n {
				t.Fatalf("message %d came in place of %d", n, i)
			}
		}
		if len(got) != 200 {
			t.Errorf("%d of 200 messages were handled", len(got))
		}
	})
}

func TestNoHandlerBeginsAfterClose(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		handled := 0
		var ended error
		client.On(c, "n", func(ctx context.Context, n int) error {
			handled++
			c.Close() // from within a handler
			ended = ctx.Err()
			return nil
		})
		conn := w.open(c)
		for i := range 5 {
			conn.event("n", fmt.Sprint(i))
		}
		ctx, cancel := soon()
		defer cancel()
		if end, err := conn.Closed(ctx); err != nil || end.Code != 1000 {
			t.Errorf("the client closed with %v, %v", end, err)
		}
		synctest.Wait()
		if handled != 1 || ended == nil {
			t.Errorf("%d messages were handled, and the context of the first ended with %v", handled, ended)
		}
	})
}

func TestSendingIsBounded(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{QueueBytes: 1000})
		sent := 0
		for ; sent < 100; sent++ {
			if err := c.Send("x", strings.Repeat("y", 100)); err != nil {
				wantError(t, "Send", err, client.ErrQueueFull)
				break
			}
		}
		if sent < 5 || sent > 9 {
			t.Errorf("%d messages of about 170 bytes wait in 1,000", sent)
		}
		_, err := client.Request[any, any](context.Background(), c, "x", strings.Repeat("y", 1000))
		wantError(t, "Request", err, client.ErrQueueFull)
		conn := w.open(c)
		for range sent {
			conn.take("x")
		}
		wantError(t, "beyond the server's limit", c.Send("x", strings.Repeat("y", 70_000)), client.ErrTooLarge)
		conn.Drop() // and the queue is as long as before
		synctest.Wait()
		for i := range 100 {
			if err := c.Send("x", strings.Repeat("y", 100)); err != nil {
				if i != sent {
					t.Errorf("now %d messages wait, before %d", i, sent)
				}
				break
			}
		}
		conn, _ = w.greet()
		for range sent {
			conn.take("x")
		}
		if err := c.Send("x", "room again"); err != nil {
			t.Error(err)
		}
		if err := c.Send("", nil); err == nil {
			t.Error("a path without a character was sent")
		}
		if err := c.Send("x", func() {}); err == nil {
			t.Error("a function was sent")
		}
		c.Close()
		wantError(t, "after Close", c.Send("x", 1), client.ErrClosed)
	})
}

// deafConn takes the handshake and finch.hello, and then nothing any more.
type deafConn struct {
	net.Conn
	written int
	closed  chan struct{}
}

func (d *deafConn) Write(b []byte) (int, error) {
	if d.written++; d.written > 2 {
		<-d.closed
		return 0, net.ErrClosed
	}
	return d.Conn.Write(b)
}

func (d *deafConn) Close() error {
	select {
	case <-d.closed:
	default:
		close(d.closed)
	}
	return d.Conn.Close()
}

func TestSendingToAServerThatDoesNotReadIsBounded(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{QueueBytes: 1000, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := w.server.Dial(ctx, network, address)
			return &deafConn{Conn: nc, closed: make(chan struct{})}, err
		}})
		w.open(c)
		for i := range 100 {
			if err := c.Send("x", strings.Repeat("y", 100)); err != nil {
				wantError(t, "Send", err, client.ErrQueueFull)
				if i < 5 {
					t.Errorf("after %d messages of 100 bytes the queue is full", i)
				}
				return
			}
			synctest.Wait()
		}
		t.Error("a hundred messages of 100 bytes wait in 1,000")
	})
}

func TestARequestHasATimeLimit(t *testing.T) {
	inMemory(t, func(w *world) {
		c := w.client(client.Options{})
		conn := w.open(c)
		begun := time.Now()
		_, err := client.Request[any, any](context.Background(), c, "never", nil)
		wantError(t, "without a deadline", err, client.ErrTimeout)
		if took := time.Since(begun); took != 10*time.Second {
			t.Errorf("the time limit was %v", took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		done := start(func() error { _, err := client.Request[any, any](ctx, c, "slow", nil); return err })
		conn.take("never")
		m := conn.take("slow")
		time.Sleep(59 * time.Minute)
		conn.Answer(m, "null")
		if err := <-done; err != nil {
			t.Errorf("the context's deadline does not rule: %v", err)
		}
		ctx, cancel = context.WithCancel(context.Background())
		cancel()
		_, err = client.Request[any, any](ctx, c, "not even sent", nil)
		wantError(t, "an ended context", err, context.Canceled)
		conn.idle()
	})
}
