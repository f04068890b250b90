package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	natsgo "github.com/nats-io/nats.go"
)

// Options are for New. Dir has to be given; the rest may be zero.
type Options struct {
	// Dir is where the history is kept. It is made if it is not there. One process
	// at a time uses it; a second is refused by Start.
	Dir string
	// SyncInterval is how often what was acknowledged is written through to the
	// disk. Until then a crash of the machine or a power cut loses it; a crash of
	// the process never does. Zero is 1 second; negative is before every
	// acknowledgement, at a twentieth of the publishes a second.
	SyncInterval time.Duration
	// MaxDisk bounds the directory in bytes, about. Zero is three quarters of what
	// the disk has free at the start. Past it publishes fail with ErrUnavailable.
	MaxDisk int64
	// MaxMemory bounds the server's memory for streams in bytes; Finch keeps none
	// there. Zero is 64 MiB.
	MaxMemory int64
	// NATS are the options of the broker. URL and Replicas are not used, and
	// Partitions is 2 if it is zero: one process has no use for more.
	NATS nats.Options
	// Logger is told what an operator should know, the server's warnings among it.
	// Nil is slog.Default().
	Logger *slog.Logger
}

// A Broker is a node with its own server. It implements broker.Broker.
type Broker struct {
	*nats.Broker
	options Options

	starting sync.Mutex              // held by Start and Close
	running  atomic.Pointer[process] // nil before Start, after Close, and while the disk cannot be written to
	fault    atomic.Pointer[string]  // why it cannot
	unwatch  func()                  // ends watch; nil before Start
}

var _ broker.Broker = (*Broker)(nil)

// New makes a broker that has not been started. What is wrong with the options,
// Start says.
func New(options Options) *Broker {
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	if options.NATS.Logger == nil {
		options.NATS.Logger = options.Logger
	}
	b := &Broker{options: options}
	b.Broker = b.Node()
	return b
}

// Caps is documented at broker.Broker.
func (b *Broker) Caps() broker.Caps {
	caps := b.Broker.Caps()
	caps.Cluster = false // of nodes in other processes
	return caps
}

// Start is documented at broker.Broker. It starts the server first. Besides the
// errors of package nats, one is returned if Dir cannot be used: the error says
// why.
func (b *Broker) Start(ctx context.Context, node broker.Node, sink broker.Sink) error {
	b.starting.Lock()
	defer b.starting.Unlock()
	if b.running.Load() != nil {
		return errors.New("embedded: a broker is started once; make another with New")
	}
	p, err := startProcess(ctx, b.options)
	if err != nil {
		return err
	}
	b.running.Store(p)
	if err := b.Broker.Start(ctx, node, sink); err != nil {
		b.running.Store(nil)
		p.stop()
		return err
	}
	life, end := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		b.watch(life)
	}()
	b.unwatch = func() { end(); <-watched }
	return nil
}

// watchEvery is how often the server is looked after.
const watchEvery = 2 * time.Second

// watch stops a server that cannot write any more, because the disk is full or
// broken: it would leave every publish without an answer, and not recover. When
// the disk can be written to, it is started again.
func (b *Broker) watch(life context.Context) {
	every := time.NewTicker(watchEvery)
	defer every.Stop()
	said := ""
	for {
		select {
		case <-every.C:
		case <-life.Done():
			return
		}
		if p := b.running.Load(); p != nil {
			if fault := p.fault(); fault != "" {
				b.options.Logger.Error("embedded: the store cannot be written to; it is stopped until it can be", "dir", b.options.Dir, "err", fault)
				b.fault.Store(&fault)
				b.running.Store(nil)
				p.stop()
			}
			continue
		}
		err := writable(b.options.Dir)
		if err == nil {
			var p *process
			if p, err = startProcess(life, b.options); err == nil {
				b.options.Logger.Info("embedded: the store can be written to again", "dir", b.options.Dir)
				b.fault.Store(nil)
				b.running.Store(p)
				said = ""
				continue
			}
		}
		if text := err.Error(); text != said {
			said = text
			b.options.Logger.Warn("embedded: the store cannot be started again yet", "dir", b.options.Dir, "err", err)
		}
	}
}

// Publish is documented at broker.Broker. While the disk cannot be written to it
// fails at once.
func (b *Broker) Publish(ctx context.Context, room string, data []byte, o broker.PublishOptions) (broker.Ack, error) {
	ack, err := b.Broker.Publish(ctx, room, data, o)
	if fault := b.fault.Load(); fault != nil && errors.Is(err, broker.ErrUnavailable) {
		err = fmt.Errorf("%w (embedded: the store cannot be written to: %s)", err, *fault)
	}
	return ack, err
}

// Close is documented at broker.Broker. It stops the server too, so that other
// nodes on it lose their connection.
func (b *Broker) Close(ctx context.Context) error {
	err := b.Broker.Close(ctx)
	b.starting.Lock()
	defer b.starting.Unlock()
	if b.unwatch != nil {
		b.unwatch()
	}
	if p := b.running.Swap(nil); p != nil {
		p.stop()
	}
	return err
}

// InProcessConn makes a connection to the server, which runs between Start and
// Close. It is for whoever wants to look at the streams, or to use the server for
// something else: natsgo.Connect("", natsgo.InProcessServer(b)).
func (b *Broker) InProcessConn() (net.Conn, error) {
	if p := b.running.Load(); p != nil {
		return p.server.InProcessConn()
	}
	return nil, errNotRunning
}

var errNotRunning = errors.New("embedded: the server does not run")

// Node makes a broker for one more node on the server of b, in this process, not
// started. It can be started while b is: for tests, or for two managers.
func (b *Broker) Node() *nats.Broker {
	o := b.options.NATS
	o.URL, o.Replicas = "", 1
	if o.Partitions == 0 {
		o.Partitions = 2
	}
	if o.MaxPayload == 0 {
		o.MaxPayload = maxPayload
	}
	o.Connect = append(o.Connect[:len(o.Connect):len(o.Connect)], natsgo.InProcessServer(b))
	return nats.New(o)
}
