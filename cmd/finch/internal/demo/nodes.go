package demo

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
)

// Nodes makes a demo one of several that behave as one, or one whose rooms
// outlive it.
type Nodes struct {
	// Broker makes the broker of one of the demo's managers, which are named by
	// their parts: "chat", "pulse", "slow" and "tabs". They hear nothing of each
	// other. It is called once for each; that of the chat is started first and
	// closed last.
	Broker func(part string) broker.Broker
	// Secret is the same on all nodes and after a restart.
	Secret []byte
	// Name is how the page calls this node. Empty: it is alone, and the page does
	// not speak of nodes.
	Name string
	// Store is how the page calls what joins the nodes: "NATS", "Redis".
	Store string
	// Reached is told when the broker is lost, and when it is back, one after the
	// other. Nil: nobody.
	Reached func(yes bool)
}

// Node is what "node" tells a page: which node serves it.
type Node struct {
	Name    string `json:"name"`
	Nodes   int    `json:"nodes"` // that live, this one included
	Store   string `json:"store"`
	Reached bool   `json:"reached"` // the broker; without it this node is alone for now
}

// house makes the demo's managers, and knows how their broker is reached.
type house struct {
	nodes   *Nodes // nil: a demo that is alone and in memory
	chat    broker.Broker
	down    atomic.Bool
	started []*finch.SocketManager
	changed func() // the broker's state, or the nodes; set before anything starts
}

// manager makes the manager of a part.
func (h *house) manager(part string, o finch.SocketManagerOptions) *finch.SocketManager {
	if h.nodes != nil {
		o.Broker = h.nodes.Broker(part)
		mac := hmac.New(sha256.New, h.nodes.Secret)
		mac.Write([]byte(part)) // a ticket of one part is none of another
		o.Secret = mac.Sum(nil)
		if part == "chat" {
			h.chat = o.Broker
			o.Broker = &watched{o.Broker, h}
		}
	}
	m := finch.NewSocketManager(&o)
	h.started = append(h.started, m)
	return m
}

// many tells whether there may be other nodes.
func (h *house) many() bool { return h.nodes != nil && h.nodes.Name != "" }

// beginWithin is how long the brokers may take to start: longer than the lease of
// a demo that was killed.
const beginWithin = 20 * time.Second

// begin starts the brokers, which would otherwise start when they are first
// needed, and be wrong then.
func (h *house) begin(ctx context.Context) error {
	if h.nodes == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, beginWithin)
	defer cancel()
	for _, m := range h.started {
		if err := m.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// now is what a page is told.
func (h *house) now() Node {
	return Node{Name: h.nodes.Name, Nodes: len(h.chat.Nodes()), Store: h.nodes.Store, Reached: !h.down.Load()}
}

// watched is a broker that tells the house what its manager is told: a page is to
// say that nodes came or went, and that the broker is away.
type watched struct {
	broker.Broker
	house *house
}

// Start is documented at broker.Broker.
func (w *watched) Start(ctx context.Context, node broker.Node, sink broker.Sink) error {
	return w.Broker.Start(ctx, node, &watchedSink{sink, w.house})
}

type watchedSink struct {
	broker.Sink
	house *house
}

func (s *watchedSink) NodeUp(n broker.NodeState) {
	s.Sink.NodeUp(n)
	s.house.changed()
}

func (s *watchedSink) NodeDown(n broker.NodeState) {
	s.Sink.NodeDown(n)
	s.house.changed()
}

func (s *watchedSink) State(state broker.State, why error) {
	s.Sink.State(state, why)
	away := state != broker.Connected
	if s.house.down.Swap(away) != away {
		s.house.changed()
	}
}

// sendHere sends to the sockets of this node, each of which is told by its own.
func sendHere(m *finch.SocketManager, path string, data any) {
	for s := range m.Sockets() {
		s.Send(path, data)
	}
}
