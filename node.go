package finch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
	"github.com/finch-go/finch/internal/hub"
)

// node is a manager's part in its broker: it starts it when it is first
// needed, follows the addresses that have members here, and passes on what
// other nodes send.
type node struct {
	manager *SocketManager
	id      string
	broker  broker.Broker
	caps    broker.Caps // as they were before the start; others read them meanwhile
	runner  *feed.Runner[*attendance]

	mu      sync.Mutex // guards the start
	tried   time.Time
	failure error
	closed  bool
	started atomic.Bool

	state atomic.Uint32 // broker.State
}

// startPause is how long a failed start is believed before it is tried again.
const startPause = time.Second

// startTimeout bounds one try.
const startTimeout = 10 * time.Second

func newNode(m *SocketManager, id string, b broker.Broker) *node {
	if b == nil {
		b = memory.New(nil)
	}
	if id == "" {
		id = newSocketID()
	}
	return &node{manager: m, id: id, broker: b, caps: b.Caps()}
}

// ready starts the broker if it has not been yet.
func (n *node) ready(ctx context.Context) error {
	if n.started.Load() {
		return nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.started.Load():
		return nil
	case n.closed:
		return broker.ErrClosed
	case n.failure != nil && time.Since(n.tried) < startPause:
		return n.failure
	}
	m := n.manager
	n.runner = feed.NewRunner(feed.Options[*attendance]{
		Broker: n.broker,
		Room:   n.feedOf,
		Keep:   n.wanted,
		Limits: feed.Limits{ReplayBytes: m.gate.config.QueueBytes / 2},
	})
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err := n.broker.Start(ctx, broker.Node{ID: n.id, Profiles: m.declarations.profiles()}, (*nodeSink)(n))
	n.tried = time.Now()
	if err != nil {
		n.runner.Close()
		if !errors.Is(err, broker.ErrUnavailable) {
			err = fmt.Errorf("%w: the broker does not start: %v", broker.ErrUnavailable, err)
		}
		n.failure = err
		m.logger.Error("finch: the broker cannot be started; it is tried again when it is needed", "error", err)
		return err
	}
	n.failure = nil
	n.started.Store(true)
	return nil
}

// close ends the node's part; nothing of it works afterwards.
func (n *node) close(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	if !n.started.Swap(false) {
		return nil
	}
	err := n.broker.Close(ctx)
	n.runner.Close()
	return err
}

// follows tells whether members of an address come to it through the broker:
// because clients have positions there, or because other nodes send to it.
func (n *node) follows(at hub.Address) bool {
	return n.caps.Cluster || n.manager.declarations.of(at) != nil
}

// wanted tells whether an address has members here.
func (n *node) wanted(name string) bool {
	at, err := addressOf(name)
	return err == nil && n.manager.hub.Count(at) > 0
}

// feedOf makes what a feed works for.
func (n *node) feedOf(name string) feed.Room[*attendance] {
	at, err := addressOf(name)
	if err != nil {
		panic(err) // only we name rooms
	}
	return &roomFeed{manager: n.manager, at: at}
}

// nodeSink is the node as its broker sees it.
type nodeSink node

var _ broker.Sink = (*nodeSink)(nil)

func levelOf(s broker.State) slog.Level {
	if s == broker.Connected {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

func (v *nodeSink) Deliver(msg broker.Message) { v.runner.Deliver(msg) }

func (v *nodeSink) Uncertain(scope broker.Scope, why error) { v.runner.Uncertain(scope, why) }

func (v *nodeSink) State(s broker.State, why error) {
	if old := broker.State(v.state.Swap(uint32(s))); old == s {
		return
	}
	v.manager.logger.Log(context.Background(), levelOf(s), "finch: the broker is "+s.String(), "why", why)
	if s == broker.Connected {
		go v.manager.presence.reconnected()
	}
}

// broadcast carries something to the nodes where an address has members.
func (n *node) broadcast(at hub.Address, news *news) error {
	to := broker.Target{Kind: broker.ToRoom, Name: storeName(at)}
	if at.Kind == hub.Everyone {
		to = broker.Target{Kind: broker.ToEveryone}
	}
	if err := n.ready(context.Background()); err != nil {
		return err
	}
	return n.broker.Send(context.Background(), to, news.append(nil))
}

// Receive takes what another node sent.
func (v *nodeSink) Receive(sent broker.Sent) {
	if sent.From == v.id {
		return // done when it was sent
	}
	var at hub.Address
	if sent.To.Kind == broker.ToRoom {
		var err error
		if at, err = addressOf(sent.To.Name); err != nil {
			return
		}
	}
	news, err := parseNews(sent.Data)
	if err != nil {
		v.manager.logger.Error("finch: another node sent what this one does not know", "node", sent.From, "error", err)
		return
	}
	v.manager.hear(at, sent.From, news)
}
