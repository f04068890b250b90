package nats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/vigil"
	natsgo "github.com/nats-io/nats.go"
)

// A Broker is one node's connection to NATS. It implements broker.Broker.
//
// Its goroutines are those of nats.go, one for each core that brings messages,
// and a few that keep leases and watch the store; rooms add none. All end with
// Close.
type Broker struct {
	options Options
	invalid error // what is wrong with the options
	log     *slog.Logger
	layout  layout
	used    atomic.Bool   // started once, or closed
	lives   atomic.Uint64 // starts that failed: what belongs to an earlier one is known by it
	started atomic.Bool   // between Start and Close
	closing sync.Mutex    // held by Close

	// Set by Start and not changed afterwards.
	id       string
	life36   string // random, of this life of the node
	sink     broker.Sink
	profiles map[string]*broker.Profile
	workers  []*worker
	epochs   *epochs
	link     link
	desk     *desk
	life     context.Context // ends with Close
	end      context.CancelFunc
	running  sync.WaitGroup // goroutines of this broker

	fleet atomic.Pointer[fleet] // changed by the keeper and by Start
	news
	nodes   nodes
	vigils  vigil.Vigils
	shares  shares
	probe   probe
	payload atomic.Int64
	doubts  atomic.Uint64 // times that the store became doubtful
	clock   atomic.Int64  // of the store, less this node's, in nanoseconds
	kicked  chan struct{} // the keeper is to look at the streams
	relet   chan struct{} // the lease is to be renewed now
	sending sync.Mutex    // keeps the order of what this node sends
	asked   chan struct{} // a place for each question that is being answered
}

var _ broker.Broker = (*Broker)(nil)

// New makes a broker that has not been started. What is wrong with the options,
// Start says.
func New(options Options) *Broker {
	b := &Broker{kicked: make(chan struct{}, 1), relet: make(chan struct{}, 1), asked: make(chan struct{}, maxAnswers)}
	b.options, b.invalid = options.filled()
	b.log = b.options.Logger
	b.layout = layout{ns: b.options.Namespace, partitions: b.options.Partitions}
	b.payload.Store(int64(b.options.MaxPayload))
	b.life36 = strconv.FormatUint(rand.Uint64(), 36)
	b.life, b.end = context.WithCancel(context.Background())
	return b
}

// Caps is documented at broker.Broker. MaxPayload is right once Start has
// returned.
func (b *Broker) Caps() broker.Caps {
	return broker.Caps{Durable: true, Cluster: true, MaxPayload: b.maxPayload(), DedupeWindow: b.options.DedupeWindow}
}

func (b *Broker) maxPayload() int { return int(b.payload.Load()) }

// headroom is what headers may take of the server's max_payload.
const headroom = 4 << 10

// Start is documented at broker.Broker. It makes the streams that it needs, or
// changes them to what the node's profiles say.
//
// It waits while a lease of this id is there that nobody renews: an earlier life
// of the node, killed less than Options.Lease ago. An error is returned if the
// lease is renewed, because then two nodes have one id; if the options, the id
// or the profiles are not valid; if a stream of this name is something else's;
// and if b is started or was closed. All these come again until somebody changes
// something; ErrUnavailable is wrapped by those that another try may not meet. A start that failed may be tried again.
func (b *Broker) Start(ctx context.Context, node broker.Node, sink broker.Sink) error {
	if err := b.check(node, sink); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.used.Swap(true) {
		return fmt.Errorf("nats: a broker is started once; make another with New")
	}
	b.id, b.sink = node.ID, sink
	b.layStreams()
	err := b.connect(ctx)
	if err == nil {
		err = b.begin(ctx)
	}
	if err != nil {
		b.stop()
		b.forget()
		return err
	}
	b.started.Store(true)
	b.tellState()
	return nil
}

func (b *Broker) check(node broker.Node, sink broker.Sink) error {
	switch {
	case b.invalid != nil:
		return b.invalid
	case sink == nil:
		return errors.New("nats: Start needs a sink")
	case !plain(node.ID):
		return fmt.Errorf("nats: node id %q is not 1 to 64 letters, digits, - and _", node.ID)
	}
	profiles := map[string]*broker.Profile{"": &broker.DefaultProfile}
	for _, p := range node.Profiles {
		switch {
		case p.Size < 0 || p.Age < 0:
			return fmt.Errorf("nats: profile %q has a negative size or age", p.Name)
		case len(p.Name) > 128:
			return fmt.Errorf("nats: the name of profile %.20q... is longer than 128 bytes", p.Name)
		}
		profiles[p.Name] = &p
	}
	if !b.used.Load() {
		b.profiles = profiles
	}
	return nil
}

// begin makes a connected broker one that serves.
func (b *Broker) begin(ctx context.Context) error {
	if err := b.checkServer(ctx); err != nil {
		return err
	}
	var err error
	if b.desk, err = newDesk(b.link.conn, b.options.Timeout); err != nil {
		return unavailable("cannot subscribe: %v", err)
	}
	created, err := b.ensureStreams(ctx)
	if err != nil {
		return err
	}
	b.epochs = newEpochs(created[b.layout.stateStream()], b.layout.partitions)
	b.lookAtClock(ctx)
	for range runtime.GOMAXPROCS(0) {
		w := newWorker(b)
		b.workers = append(b.workers, w)
		b.running.Go(w.run)
	}
	if err := b.listen(); err != nil {
		return unserved(ctx, err)
	}
	// A stream that has just been made is not known everywhere yet.
	for _, step := range []func(context.Context) error{
		b.reachStreams,
		b.learnEpochs,
		func(ctx context.Context) error { return b.noteStreams(ctx, created) },
		b.findStreams,
		func(ctx context.Context) error { return b.beginShares(ctx, created[b.layout.sharesStream()]) },
		b.takeLease,
		b.learnNodes,
	} {
		if err := b.insist(ctx, step); err != nil {
			return err
		}
	}
	b.running.Go(b.keepLease)
	b.running.Go(b.keepStreams)
	b.running.Go(b.keepProbing)
	return nil
}

// insist takes a step of the start again while time may help.
func (b *Broker) insist(ctx context.Context, step func(context.Context) error) error {
	for {
		err := step(ctx)
		if err == nil || errors.Is(err, errSettled) {
			return err
		}
		if !passing(err) && !isCode(err, codeStreamMissing) || !pause(ctx, 50*time.Millisecond) {
			return unserved(ctx, err)
		}
	}
}

// reachStreams asks each stream of the node's profiles whether it can be written
// to.
func (b *Broker) reachStreams(ctx context.Context) error {
	var g group
	for _, s := range b.ownStreams() {
		g.Go(func() error { return b.barrier(ctx, s) })
	}
	return g.Wait()
}

// checkServer says early and clearly what could not work later.
func (b *Broker) checkServer(ctx context.Context) error {
	conn := b.link.conn
	if v := conn.ConnectedServerVersion(); !atLeast(v, 2, 11) {
		return fmt.Errorf("nats: the server has version %s, and Finch needs 2.11 or newer", v)
	}
	if !conn.HeadersSupported() {
		return errors.New("nats: the server does not support headers (no_header_support)")
	}
	if most := conn.MaxPayload() - headroom; most < b.payload.Load() {
		if most <= 0 {
			return fmt.Errorf("nats: the server's max_payload of %d bytes leaves no room for messages", conn.MaxPayload())
		}
		b.payload.Store(most)
	}
	for try := 0; ; try++ {
		err := b.askAPI(ctx, "INFO", nil, nil)
		switch {
		case err == nil:
			return nil
		case isCode(err, codeAccountDisabled), isCode(err, codeDisabled):
			return fmt.Errorf("nats: JetStream is not switched on for this account of the server: %w", err)
		case errors.Is(err, broker.ErrUnavailable) && try >= 15: // a cluster may be starting
			return fmt.Errorf("%w (is JetStream switched on? nats-server -js, or jetstream{} in its configuration)", err)
		case !passing(err):
			return unserved(ctx, err)
		}
		if !pause(ctx, 100*time.Millisecond) {
			return fmt.Errorf("%w: nats: JetStream does not answer: %w", broker.ErrUnavailable, err)
		}
	}
}

// atLeast compares a version of the form 2.11.3-beta.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(strings.TrimPrefix(parts[0], "v"))
	c, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (a > major || a == major && c >= minor)
}

// listen subscribes to all that is for this node.
func (b *Broker) listen() error {
	conn := b.link.conn
	first := b.workers[0].queue
	watch := make(chan *natsgo.Msg, 4096)
	for subject, queue := range map[string]chan *natsgo.Msg{
		b.layout.live() + "~" + b.id: first,
		b.layout.everyone():          first,
		b.layout.node(b.id):          first,
		b.layout.questions(b.id):     watch,
		b.layout.watch():             watch,
		advisoryLeader:               watch,
	} {
		if _, err := conn.ChanSubscribe(subject, queue); err != nil {
			return unavailable("cannot subscribe to %s: %v", subject, err)
		}
	}
	b.running.Go(func() { b.watch(watch) })
	return nil
}

// ready says why a call cannot be served.
func (b *Broker) ready(ctx context.Context, rooms ...string) error {
	if !b.started.Load() {
		return broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, room := range rooms {
		if len(room) == 0 || len(room) > broker.MaxRoom {
			return broker.ErrBadRoom
		}
	}
	return nil
}

// Close is documented at broker.Broker. It waits for Answers that run, no longer
// than ctx; one that goes on all the same ends by itself.
func (b *Broker) Close(ctx context.Context) error {
	b.closing.Lock()
	defer b.closing.Unlock()
	b.used.Store(true) // closed without a start: there will be none
	if !b.started.Swap(false) {
		return nil
	}
	b.giveLease(ctx)
	b.stop()
	return b.awaitAnswers(ctx)
}

// stop ends all goroutines and the connection.
func (b *Broker) stop() {
	b.end()
	b.news.close()
	if b.link.conn != nil {
		b.link.conn.Close()
	}
	b.link.lost(broker.ErrClosed)
	b.running.Wait()
}

// forget makes a broker whose start has failed one that was never started: whoever
// needs it tries again. Nothing of it runs.
func (b *Broker) forget() {
	b.lives.Add(1)
	b.workers, b.epochs, b.desk, b.link.conn = nil, nil, nil, nil
	b.news.open()
	b.nodes, b.shares, b.probe = nodes{}, shares{}, probe{}
	b.life, b.end = context.WithCancel(context.Background())
	b.used.Store(false)
}

// storeNow is the time by the store's clock, about.
func (b *Broker) storeNow() time.Time { return b.options.Now().Add(time.Duration(b.clock.Load())) }

func (b *Broker) setClock(store time.Time) {
	if !store.IsZero() {
		b.clock.Store(int64(store.Sub(b.options.Now())))
	}
}

// lookAtClock sets the store's clock. Not to know it does little harm: the two
// are rarely far apart.
func (b *Broker) lookAtClock(ctx context.Context) {
	if info, err := b.streamInfo(ctx, b.layout.stateStream(), ""); err == nil {
		b.setClock(info.At)
		if apart := time.Duration(b.clock.Load()).Abs(); apart > time.Minute {
			b.log.Warn("nats: the clocks of this node and of the server differ", "by", apart)
		}
	}
}
