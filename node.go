package finch

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

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

	given    bool            // the broker is the user's, who wants to hear if it does not start
	started  atomic.Bool     // the broker serves
	life     context.Context // ends with close
	end      context.CancelFunc
	starting sync.WaitGroup // the goroutine that starts the broker

	mu      sync.Mutex // guards what follows, and the making of runner
	closed  bool
	failure error         // of the last try to start the broker
	changed chan struct{} // closed when a try has ended; the next has another

	state atomic.Uint32 // broker.State
}

func newNode(m *SocketManager, id string, b broker.Broker) *node {
	given := b != nil
	if !given {
		b = memory.New(nil)
	}
	if id == "" {
		id = newSocketID()
	}
	n := &node{manager: m, id: id, broker: b, given: given, caps: b.Caps(), changed: make(chan struct{})}
	n.life, n.end = context.WithCancel(context.Background())
	return n
}

// close ends the node's part; nothing of it works afterwards.
func (n *node) close(ctx context.Context) error {
	n.mu.Lock()
	n.closed = true
	n.mu.Unlock()
	n.end()
	n.starting.Wait()
	if n.runner == nil {
		return nil
	}
	var err error
	if n.started.Swap(false) {
		err = n.broker.Close(ctx)
	}
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
	data := news.append(nil)
	if len(data) > n.broker.Caps().MaxPayload {
		return ErrTooLarge
	}
	return n.broker.Send(context.Background(), to, data)
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
