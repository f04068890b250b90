package servers

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
)

// Publish publishes, and fails the test if that fails.
func Publish(t testing.TB, b broker.Broker, room, data string, o broker.PublishOptions) broker.Position {
	t.Helper()
	ack, err := b.Publish(t.Context(), room, []byte(data), o)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Position
}

// Open opens a room and returns its head.
func Open(t testing.TB, b broker.Broker, room string) broker.Position {
	t.Helper()
	heads, err := b.Open(t.Context(), []string{room})
	if err != nil {
		t.Fatal(err)
	}
	return heads[0].Position
}

// Read reads a page.
func Read(t testing.TB, b broker.Broker, room string, r broker.Range) broker.Page {
	t.Helper()
	page, err := b.Read(t.Context(), room, r)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// Begin starts a node without closing it at the end.
func Begin(t testing.TB, b broker.Broker, id string) *News {
	t.Helper()
	n := &News{}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: id}, n); err != nil {
		t.Fatal(err)
	}
	return n
}

// News is an Inbox that also writes down what came in which order.
type News struct {
	brokertest.Inbox

	mu   sync.Mutex
	came []string
	at   []time.Time
}

func (n *News) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.came, n.at = append(n.came, what), append(n.at, time.Now())
}

func (n *News) Deliver(m broker.Message) { n.note("message " + string(m.Data)); n.Inbox.Deliver(m) }
func (n *News) Uncertain(s broker.Scope, why error) {
	n.note("uncertain")
	n.Inbox.Uncertain(s, why)
}
func (n *News) NodeUp(s broker.NodeState)   { n.note("up " + s.ID); n.Inbox.NodeUp(s) }
func (n *News) NodeDown(s broker.NodeState) { n.note("down " + s.ID); n.Inbox.NodeDown(s) }
func (n *News) State(s broker.State, why error) {
	n.note(s.String())
	n.Inbox.State(s, why)
}

// Since lists what came after the first k, and when the next will begin.
func (n *News) Since(k int) ([]string, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.came[k:]...), len(n.came)
}

// When says how long after a time something came first, or -1.
func (n *News) When(what string, after time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, came := range n.came {
		if came == what && !n.at[i].Before(after) {
			return n.at[i].Sub(after)
		}
	}
	return -1
}

// Start starts a node and closes it with the test.
func Start(t testing.TB, b broker.Broker, id string, profiles ...broker.Profile) *brokertest.Inbox {
	t.Helper()
	in := &brokertest.Inbox{}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: id, Profiles: profiles}, in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return in
}

// CloseNode closes a node.
func CloseNode(t testing.TB, b broker.Broker) {
	t.Helper()
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
}
