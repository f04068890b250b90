package embedded_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	natsgo "github.com/nats-io/nats.go"
)

// virtually runs a test with a server of its own in a bubble, where an hour
// passes in a moment.
func virtually(t *testing.T, test func(t *testing.T, s *embedded.Broker)) {
	synctest.Test(t, func(t *testing.T) {
		s := embedded.New(embedded.Options{Dir: t.TempDir(), Logger: quiet})
		start(t, s, "server")
		test(t, s)
	})
}

// A wire is a node's way to the server, which can be cut.
type wire struct {
	to natsgo.InProcessConnProvider

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

func (w *wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errors.New("the wire is cut")
	}
	c, err := w.to.InProcessConn()
	if err == nil {
		w.conns = append(w.conns, c)
	}
	return c, err
}

func (w *wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

func (w *wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// wired makes a node on a wire of its own.
func wired(s natsgo.InProcessConnProvider, o nats.Options) (*nats.Broker, *wire) {
	w := &wire{to: s}
	o.Partitions, o.Logger = 2, quiet
	o.Connect = []natsgo.Option{natsgo.InProcessServer(w)}
	return nats.New(o), w
}

func publish(t testing.TB, b broker.Broker, room, data string, o broker.PublishOptions) broker.Position {
	t.Helper()
	ack, err := b.Publish(t.Context(), room, []byte(data), o)
	if err != nil {
		t.Fatal(err)
	}
	return ack.Position
}

func open(t testing.TB, b broker.Broker, room string) broker.Position {
	t.Helper()
	heads, err := b.Open(t.Context(), []string{room})
	if err != nil {
		t.Fatal(err)
	}
	return heads[0].Position
}

func read(t testing.TB, b broker.Broker, room string, r broker.Range) broker.Page {
	t.Helper()
	page, err := b.Read(t.Context(), room, r)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// begin starts a node without closing it at the end.
func begin(t testing.TB, b broker.Broker, id string) *news {
	t.Helper()
	n := &news{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: id}, n); err != nil {
		t.Fatal(err)
	}
	return n
}

// news is an Inbox that also writes down what came in which order.
type news struct {
	brokertest.Inbox

	mu   sync.Mutex
	came []string
	at   []time.Time
}

func (n *news) note(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.came, n.at = append(n.came, what), append(n.at, time.Now())
}

func (n *news) Deliver(m broker.Message) { n.note("message " + string(m.Data)); n.Inbox.Deliver(m) }
func (n *news) Uncertain(s broker.Scope, why error) {
	n.note("uncertain")
	n.Inbox.Uncertain(s, why)
}
func (n *news) NodeUp(s broker.NodeState)   { n.note("up " + s.ID); n.Inbox.NodeUp(s) }
func (n *news) NodeDown(s broker.NodeState) { n.note("down " + s.ID); n.Inbox.NodeDown(s) }
func (n *news) State(s broker.State, why error) {
	n.note(s.String())
	n.Inbox.State(s, why)
}

// since lists what came after the first k, and when the next will begin.
func (n *news) since(k int) ([]string, int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([]string{}, n.came[k:]...), len(n.came)
}

// when says how long after a time something came first, or -1.
func (n *news) when(what string, after time.Time) time.Duration {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, came := range n.came {
		if came == what && !n.at[i].Before(after) {
			return n.at[i].Sub(after)
		}
	}
	return -1
}
