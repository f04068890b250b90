package finch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/feed"
)

// A node's broker is started by one goroutine, which tries until it succeeds:
// whoever needs the broker neither waits for the tries of others nor ends them
// by going away.

const (
	// startTimeout bounds one try. It is longer than the leases of nodes: a broker
	// may wait for that of an earlier life of this node.
	startTimeout = 20 * time.Second
	// startPatience is how long a call waits for a first try that has not ended.
	startPatience = 5 * time.Second
	// startPause and startPauseMost are between two tries.
	startPause     = time.Second
	startPauseMost = 30 * time.Second
	// startRepeat is how often a failure is logged that is the same as before.
	startRepeat = time.Minute
)

// Start starts the broker now, which else is started when it is first needed,
// and returns nil when it serves; [App.Start] does it by itself. Declaring ends
// with it. ErrUnavailable says that the broker could not be reached before ctx
// ended. Any other error says what has to be changed before it can be: options,
// a node's id, the servers. Whatever is returned, it is tried again until
// Shutdown; meanwhile [SocketManager.Readyz] answers 503 and sockets wait.
func (m *SocketManager) Start(ctx context.Context) error {
	n := m.node
	for {
		if !n.begin() {
			return ErrShuttingDown
		}
		changed, failure := n.outcome()
		if n.started.Load() { // asked only now: changed is not closed again
			return nil
		}
		if failure != nil && !errors.Is(failure, broker.ErrUnavailable) {
			return fmt.Errorf("finch: the broker does not start: %w", failure)
		}
		select {
		case <-changed:
		case <-n.life.Done():
			return ErrShuttingDown
		case <-ctx.Done():
			if failure == nil {
				failure = ErrUnavailable
			}
			return fmt.Errorf("finch: the broker does not start: %w: %w", failure, ctx.Err())
		}
	}
}

// startBroker starts the broker of the manager, if it has been given one, and
// returns an error that no further try will mend.
func (a *App) startBroker(ctx context.Context) error {
	m := a.SocketManager()
	if m == nil || !m.node.given {
		return nil
	}
	err := m.Start(ctx)
	if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrShuttingDown) {
		return nil // ctx has ended, or Shutdown has begun
	}
	return err
}

// begin makes sure that the broker has been started or is being started; false
// after close.
func (n *node) begin() bool {
	if n.started.Load() {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed:
		return false
	case n.runner == nil:
		n.runner = feed.NewRunner(feed.Options[*attendance]{
			Broker: feedBroker{n.broker, n},
			Room:   n.feedOf,
			Keep:   n.wanted,
			Limits: feed.Limits{ReplayBytes: n.manager.gate.config.QueueBytes / 2},
		})
		n.starting.Go(n.start)
	}
	return true
}

// outcome answers how the last try to start went, nil if none has failed, and
// what is closed when that changes.
func (n *node) outcome() (changed <-chan struct{}, failure error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.changed, n.failure
}

// settle notes how a try went.
func (n *node) settle(failure error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failure = failure
	if failure == nil {
		n.started.Store(true)
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// start starts the broker, again and again until it succeeds or the node ends.
func (n *node) start() {
	m := n.manager
	var told time.Time
	text := ""
	for pause := startPause; ; pause = min(2*pause, startPauseMost) {
		ctx, cancel := context.WithTimeout(n.life, startTimeout)
		err := n.broker.Start(ctx, broker.Node{ID: n.id, Profiles: m.declarations.profiles()}, (*nodeSink)(n))
		cancel()
		switch {
		case err == nil && text == "":
			n.settle(nil)
			return
		case err == nil:
			m.logger.Info("finch: the broker has been started", "node", n.id)
			n.settle(nil)
			return
		case n.life.Err() != nil:
			return
		case err.Error() != text || time.Since(told) >= startRepeat:
			told, text = time.Now(), err.Error()
			m.logger.Error("finch: the broker does not start; it is tried again", "node", n.id, "error", err)
		}
		n.settle(err)
		select {
		case <-time.After(pause):
		case <-n.life.Done():
			return
		}
	}
}

// ready answers nil when the broker serves. It starts it if need be, and waits
// for the first try a while; after one that failed it answers why at once.
func (n *node) ready(ctx context.Context) error {
	if n.started.Load() {
		return nil
	}
	if !n.begin() {
		return broker.ErrClosed
	}
	changed, failure := n.outcome()
	if failure == nil && !n.started.Load() {
		timer := time.NewTimer(startPatience)
		defer timer.Stop()
		select {
		case <-changed:
			_, failure = n.outcome()
		case <-timer.C:
			failure = errStarting
		case <-ctx.Done():
			failure = fmt.Errorf("%w: %w", errStarting, ctx.Err())
		case <-n.life.Done():
			return broker.ErrClosed
		}
	}
	switch {
	case n.started.Load():
		return nil
	case failure == nil: // it was closed meanwhile
		return broker.ErrClosed
	case !errors.Is(failure, broker.ErrUnavailable):
		return fmt.Errorf("%w: the broker does not start: %v", broker.ErrUnavailable, failure)
	}
	return failure
}

var errStarting = fmt.Errorf("%w: the broker is still being started", broker.ErrUnavailable)

// feedBroker is the broker as the feeds of rooms ask it, who may have members
// before it has been started.
type feedBroker struct {
	broker.Broker
	node *node
}

func (b feedBroker) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	if err := b.node.ready(ctx); err != nil {
		return nil, err
	}
	return b.Broker.Open(ctx, rooms)
}

func (b feedBroker) Read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	if err := b.node.ready(ctx); err != nil {
		return broker.Page{}, err
	}
	return b.Broker.Read(ctx, room, r)
}

func (b feedBroker) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	if err := b.node.ready(ctx); err != nil {
		return nil, "", err
	}
	return b.Broker.Heads(ctx, rooms, since)
}
