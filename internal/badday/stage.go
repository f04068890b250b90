package badday

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/finchtest"
)

// A Stage is a store for one test, and what the test may do to it. What is nil
// it cannot do.
type Stage struct {
	// Broker makes the broker of another node of the store.
	Broker func() broker.Broker
	// Stop ends the store, and Start starts it again.
	Stop, Start func()
	// Forgets: a store that was stopped starts empty.
	Forgets bool
	// Gone is how long the store is gone in an outage.
	Gone time.Duration
	// Empty removes all that the store holds, while it serves.
	Empty func()
	// MaxPayload is the longest message of the broker in bytes.
	MaxPayload int
}

// room is where members meet; its pattern is declared.
const room = "chat:7"

// A node is a manager and its log.
type node struct {
	*finch.SocketManager
	book *book
}

func (s *Stage) node(t *testing.T, id, secret string) *node {
	t.Helper()
	n := &node{book: &book{}}
	n.SocketManager = finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: s.Broker(), NodeID: id, Secret: []byte(secret), Logger: slog.New(slog.NewTextHandler(n.book, nil)),
		Limits: finch.Limits{MessageBytes: 1 << 20},
	})
	n.DeclareRooms("chat:{id}", finch.RoomOptions{
		HistorySize: 100, HistoryAge: 6 * time.Hour, Presence: true, CanJoin: finch.Anybody, CanPublish: finch.AnyMember,
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := n.Shutdown(ctx); err != nil {
			t.Errorf("%s does not shut down: %v", id, err)
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", id, n.book)
		}
	})
	return n
}

// pair starts two nodes, and a client of each that is in the room.
func (s *Stage) pair(t *testing.T) (a, b *node, ann, bob *finchtest.Client) {
	t.Helper()
	a, b = s.node(t, "a", "secret"), s.node(t, "b", "secret")
	for _, n := range []*node{a, b} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := n.SocketManager.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	return a, b, enter(t, a, "ann"), enter(t, b, "bob")
}

// enter connects somebody, who joins the room.
func enter(t *testing.T, n *node, user string) *finchtest.Client {
	t.Helper()
	c := finchtest.Connect(t, n, finch.Identity{User: user})
	c.Hello()
	until(t, user+" is in the room", func() bool {
		_, err := c.Join(room)
		return err == nil
	})
	return c
}

// ready answers what the node's check says.
func (n *node) ready() int {
	w := httptest.NewRecorder()
	n.Readyz(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code
}

// count answers how many are at the room of a node's choice; -1 if it cannot say.
func (n *node) count(t *testing.T, at finch.Room) int {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	members, err := at.Count(ctx)
	if err != nil {
		return -1
	}
	return members
}

// members lists who is in the room with how many devices, as a client is told.
func members(c *finchtest.Client) string {
	out, err := finchtest.Request[struct {
		Members []struct {
			ID      string
			Devices int
		}
	}](c, "finch.presence", map[string]any{"room": room})
	return fmt.Sprint(out.Members, err)
}

// publish publishes until that succeeds, under one key.
func publish(t *testing.T, c *finchtest.Client, text, key string) (position string) {
	t.Helper()
	until(t, "a publish", func() bool {
		var err error
		position, _, err = c.Publish(room, "say", text, key)
		return err == nil
	})
	return position
}

// arrives waits until clients stand at a position: a store that takes messages
// again may not answer all questions yet, and its elections take their time.
func arrives(t *testing.T, position string, clients ...*finchtest.Client) {
	t.Helper()
	for _, c := range clients {
		until(t, "what was published arrives", func() bool { return c.Positions()[room] == position })
	}
}

// hears fails the test unless these texts come next.
func hears(t *testing.T, c *finchtest.Client, texts ...string) {
	t.Helper()
	for _, want := range texts {
		var got string
		if c.Expect("say", &got); got != want {
			t.Fatalf("heard %q, want %q", got, want)
		}
	}
}

// patience is how long something may take.
const patience = 30 * time.Second

// until polls a fact.
func until(t *testing.T, what string, fact func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !fact() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
		wait(20 * time.Millisecond)
	}
}

// wait waits between two looks at a real process.
func wait(d time.Duration) { <-time.After(d) }

// A book is the log of a node.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *book) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *book) lines() int { return strings.Count(b.String(), "\n") }
