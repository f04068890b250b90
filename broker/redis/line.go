package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/rueidis"
)

var (
	errLineClosed    = errors.New("redis: the subscriber's connection was closed")
	errUnknownServer = errors.New("redis: a server that the client does not know yet")
)

// A line is one connection on which a server says what happens on channels. Lanes
// share the line to their server. What it brings comes on one goroutine, in order.
type line struct {
	address string
	ready   chan struct{} // closed when it has been made, or could not be

	// Set before ready is closed.
	client rueidis.DedicatedClient
	failed error

	end  sync.Once
	done chan struct{} // closed when it has ended
	why  error         // set before done is closed
}

// lines are the lines that are there, by the address of their server.
type lines struct {
	mu     sync.Mutex
	closed bool
	open   map[string]*line
}

// line returns the line to a server, which it makes if there is none. It blocks
// until the connection is made, or ctx ends.
func (b *Broker) line(ctx context.Context, address string) (*line, error) {
	b.lines.mu.Lock()
	if b.lines.closed {
		b.lines.mu.Unlock()
		return nil, errLineClosed
	}
	ln := b.lines.open[address]
	if ln == nil {
		ln = &line{address: address, ready: make(chan struct{}), done: make(chan struct{})}
		b.lines.open[address] = ln
		b.tasks.Go(func() { b.connect(ln) })
	}
	b.lines.mu.Unlock()
	select {
	case <-ln.ready:
		return ln, ln.failed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// connect makes the connection of a line and stays with it until it ends.
func (b *Broker) connect(ln *line) {
	node := b.client().Nodes()[ln.address]
	if node == nil {
		b.lineFailed(ln, fmt.Errorf("%w: %s", errUnknownServer, ln.address))
		return
	}
	client, _ := node.Dedicate()
	ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
	err := client.Do(ctx, client.B().Ping().Build()).Error()
	cancel()
	if err != nil {
		client.Close()
		b.lineFailed(ln, err)
		return
	}
	ln.client = client
	ended := client.SetPubSubHooks(rueidis.PubSubHooks{
		OnMessage:      func(m rueidis.PubSubMessage) { b.hear(ln, m) },
		OnSubscription: func(s rueidis.PubSubSubscription) { b.unsubscribed(ln, s) },
	})
	close(ln.ready)
	select {
	case err = <-ended:
		if err == nil {
			err = errLineClosed
		}
		ln.finish(fmt.Errorf("redis: the subscriber's connection to %s ended: %w", ln.address, err))
	case <-ln.done:
	}
	b.forget(ln)
	nudge(b.doubt)
	for _, l := range b.lanes {
		l.lose(ln, ln.why)
	}
	client.Close()
}

func (b *Broker) lineFailed(ln *line, err error) {
	ln.failed = err
	b.forget(ln)
	ln.finish(err)
	close(ln.ready)
}

// finish ends a line for a reason; only the first counts.
func (ln *line) finish(why error) {
	ln.end.Do(func() {
		ln.why = why
		close(ln.done)
	})
}

func (b *Broker) forget(ln *line) {
	b.lines.mu.Lock()
	if b.lines.open[ln.address] == ln {
		delete(b.lines.open, ln.address)
	}
	b.lines.mu.Unlock()
}

// closeLines ends all lines for a reason; if last, no other is made afterwards.
func (b *Broker) closeLines(why error, last bool) {
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	b.lines.closed = b.lines.closed || last
	for _, ln := range b.lines.open {
		ln.finish(why)
	}
}

// closeUnused ends lines that no lane uses any more: those to servers that have
// lost all of their slots.
func (b *Broker) closeUnused() {
	used := map[*line]bool{}
	for _, l := range b.lanes {
		l.mu.Lock()
		used[l.line] = true
		l.mu.Unlock()
	}
	b.lines.mu.Lock()
	defer b.lines.mu.Unlock()
	for _, ln := range b.lines.open {
		select {
		case <-ln.ready:
			if !used[ln] {
				ln.finish(errLineClosed)
			}
		default: // whoever makes it is about to use it
		}
	}
}

// subscribe subscribes to channels, which in a Cluster are of one slot.
func (ln *line) subscribe(ctx context.Context, channels []string) error {
	return ln.client.Do(ctx, ln.client.B().Ssubscribe().Channel(channels...).Build()).Error()
}

func (ln *line) unsubscribe(ctx context.Context, channels []string) error {
	return ln.client.Do(ctx, ln.client.B().Sunsubscribe().Channel(channels...).Build()).Error()
}
