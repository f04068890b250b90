package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// A Broker is one node's connection. It implements broker.Broker.
//
// Its sink is called by the goroutines that read the subscribers' connections,
// one for each server of a Cluster.
type Broker struct {
	options Options
	wrong   error // of the options
	rhythm  rhythm
	names   *names

	used    atomic.Bool // Start succeeded, or runs, or Close was called
	started atomic.Bool // between Start and Close

	// Set by Start and not changed afterwards.
	node         string
	instance     string // random; of this broker, whatever its incarnations
	sink         broker.Sink
	profiles     map[string]*scriptProfile
	cluster      bool
	clientOption rueidis.ClientOption
	lanes        []*lane // one for each partition and one for the system; one alone where there is one server
	life         context.Context
	end          context.CancelFunc

	current   atomic.Pointer[rueidis.Client]
	lines     lines
	topology  topology
	census    census
	shares    shares
	questions questions
	tasks     sync.WaitGroup // goroutines that end with life
	answers   answers

	looking chan struct{} // holds one: whoever runs Heads
	looks   atomic.Uint64
	doubt   chan struct{} // holds one: somebody saw something that the watch has to look at
	// restoring holds one: the shares are to be written again, and those of this
	// older member taken away.
	restoring chan string
	down      atomic.Pointer[error] // why calls are refused at once

	wondered atomic.Int64 // when something strange was last logged, in seconds since 1970

	beating     chan struct{} // holds one: whoever has the heartbeat
	reconnected time.Time     // guarded by beating

	// news guards what follows, and is held while the sink is told of nodes and
	// states. A lane's lock may be taken while it is held.
	news      sync.Mutex
	closed    bool
	connected bool // Start has told the state
	state     broker.State
	failed    error // of the last heartbeat
}

var _ broker.Broker = (*Broker)(nil)

// New makes the broker of a node, not yet started. Options that are wrong are
// told by Start.
func New(options Options) *Broker {
	b := &Broker{
		rhythm: usualRhythm, looking: make(chan struct{}, 1), doubt: make(chan struct{}, 1), restoring: make(chan string, 1), beating: make(chan struct{}, 1),
		instance: newEpoch().String(), lines: lines{open: map[string]*line{}}, shares: shares{members: map[string]int{}},
	}
	b.options, b.wrong = options.withDefaults()
	b.life, b.end = context.WithCancel(context.Background())
	return b
}

// Caps is documented at broker.Broker. Durable means that messages outlive the
// nodes; whether they outlive the server is its own configuration.
func (b *Broker) Caps() broker.Caps {
	return broker.Caps{Durable: true, Cluster: true, MaxPayload: b.options.MaxPayload, DedupeWindow: b.options.DedupeWindow}
}

func (b *Broker) client() rueidis.Client { return *b.current.Load() }

// ready says why a call cannot be served.
func (b *Broker) ready(ctx context.Context, rooms ...string) error {
	if !b.started.Load() {
		return broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := checkRooms(rooms...); err != nil {
		return err
	}
	if why := b.down.Load(); why != nil {
		return fmt.Errorf("%w: redis: %w", broker.ErrUnavailable, *why)
	}
	return nil
}

// checkRooms refuses names that no room has.
func checkRooms(rooms ...string) error {
	for _, room := range rooms {
		if len(room) == 0 || len(room) > broker.MaxRoom {
			return broker.ErrBadRoom
		}
	}
	return nil
}

func validNodeID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 64
}

func (b *Broker) validate(node broker.Node, sink broker.Sink) error {
	if b.wrong != nil {
		return b.wrong
	}
	if sink == nil {
		return errors.New("redis: Start needs a sink")
	}
	if !validNodeID(node.ID) {
		return fmt.Errorf("redis: node id %q is not 1 to 64 letters, digits, - and _", node.ID)
	}
	profiles := map[string]*scriptProfile{"": newScriptProfile(broker.DefaultProfile, b.options.ForgetAfter)}
	for _, p := range node.Profiles {
		if p.Size < 0 || p.Age < 0 || p.Size > maxSize || p.Age > maxAge {
			return fmt.Errorf("redis: profile %q: size is 0 to %d and age 0 to %v", p.Name, maxSize, maxAge)
		}
		profiles[p.Name] = newScriptProfile(p, b.options.ForgetAfter)
	}
	b.node, b.sink, b.profiles = node.ID, sink, profiles
	return nil
}

// Close is documented at broker.Broker. It waits for Answers that run, and for the
// server to take the lease away, no longer than ctx.
func (b *Broker) Close(ctx context.Context) error {
	b.used.Store(true) // closed without a start: there will be none
	if !b.started.Swap(false) {
		return nil
	}
	if b.down.Load() == nil {
		b.leave(ctx)
	}
	b.end()
	b.silence()
	return b.wait(ctx)
}

// leave ends the lease and says so.
func (b *Broker) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.options.Timeout)
	defer cancel()
	select {
	case b.beating <- struct{}{}: // and keeps it: another heartbeat would take a new lease
	case <-ctx.Done():
		return
	}
	if _, _, err := b.lease(ctx, "leave", b.census.self().Incarnation); err == nil {
		b.say(ctx, b.everyone(), newFrame(frameNodes, 0, b.node, nil))
		b.removeShares(ctx)
	}
}

// silence makes sure that the sink is not called any more.
func (b *Broker) silence() {
	b.answers.close()
	b.news.Lock()
	b.closed = true
	b.news.Unlock()
	for _, l := range b.lanes {
		l.mu.Lock()
		l.closed = true
		l.mu.Unlock()
	}
}

// wait ends connections and goroutines, and waits for them no longer than ctx.
func (b *Broker) wait(ctx context.Context) error {
	b.closeLines(broker.ErrClosed, true)
	done := make(chan struct{})
	go func() {
		b.answers.running.Wait()
		b.tasks.Wait()
		b.client().Close()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
