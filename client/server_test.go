package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/client"
	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

// quiet says nothing.
var quiet = slog.New(slog.DiscardHandler)

// A world is a server in memory and the time of a synctest bubble.
type world struct {
	*testing.T
	server *scripted.Server
	door   *scripted.Door
}

// inMemory runs a test in a bubble, with a server that the test plays.
func inMemory(t *testing.T, play func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server := scripted.New()
		defer server.Close()
		play(&world{t, server, server.Door("/ws")})
	})
}

// client makes a client of the server; it is closed with the test.
func (w *world) client(o client.Options) *client.Client {
	w.Helper()
	if o.Dial == nil {
		o.Dial = w.server.Dial
	}
	if o.Logger == nil {
		o.Logger = quiet
	}
	c, err := client.New(w.server.URL("/ws"), &o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	return c
}

// conn is the server's end of one connection.
type conn struct {
	*scripted.Conn
	w *world
}

// soon bounds what must come; in a bubble it costs no time.
func soon() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 2*time.Minute)
}

func (w *world) accept() *conn {
	w.Helper()
	ctx, cancel := soon()
	defer cancel()
	c, err := w.door.Accept(ctx)
	if err != nil {
		w.Fatalf("nobody connects: %v", err)
	}
	return &conn{c, w}
}

// greet accepts a client and answers its hello, of which it returns the data.
func (w *world) greet() (*conn, map[string]any) {
	w.Helper()
	c := w.accept()
	m := c.take(protocol.PathHello)
	c.Answer(m, `{"version":1,"client":"s1","resumed":false,"ticket":"t1","heartbeat":25000,"limits":{"message_bytes":65536,"json_depth":64}}`)
	var data map[string]any
	if err := json.Unmarshal(m.Data, &data); err != nil {
		w.Fatal(err)
	}
	return c, data
}

// open connects a client.
func (w *world) open(c *client.Client) *conn {
	w.Helper()
	go c.Connect(context.Background())
	conn, _ := w.greet()
	synctest.Wait()
	if got := c.State().Phase; got != client.Open {
		w.Fatalf("the client is %v", got)
	}
	return conn
}

// take waits for the next message, which must be on this path.
func (c *conn) take(path string) scripted.Message {
	c.w.Helper()
	ctx, cancel := soon()
	defer cancel()
	m, err := c.Next(ctx)
	if err != nil {
		c.w.Fatalf("nothing came on %s: %v", path, err)
	}
	if m.Path != path {
		c.w.Fatalf("got %v, want it on %s", m, path)
	}
	return m
}

// idle checks that nothing more comes.
func (c *conn) idle() {
	c.w.Helper()
	synctest.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if m, err := c.Next(ctx); err == nil {
		c.w.Fatalf("the client sent %v", m)
	}
}

// admit answers a join.
func (c *conn) admit(position string) scripted.Message {
	c.w.Helper()
	m := c.take(protocol.PathJoin)
	c.Answer(m, fmt.Sprintf(`{"room":"chat:7","position":%q}`, position))
	return m
}

// post sends a recorded message of the room chat:7.
func (c *conn) post(offset int, data string) {
	c.Send(protocol.Envelope{Path: "post", Status: 200, Room: "chat:7", Position: at(offset), Data: json.RawMessage(data)})
}

func at(offset int) string { return fmt.Sprintf("e.%d.a", offset) }

// start runs f, and returns a channel that gets what it returns.
func start[T any](f func() T) <-chan T {
	done := make(chan T, 1)
	go func() { done <- f() }()
	return done
}

// joined joins the room chat:7 at offset 0.
func (w *world) joined(c *client.Client, conn *conn) client.Room {
	w.Helper()
	room := c.Room("chat:7")
	done := start(func() error { _, err := room.Join(context.Background()); return err })
	conn.admit(at(0))
	if err := <-done; err != nil {
		w.Fatal(err)
	}
	return room
}

// wantError checks an error.
func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
