package conn

import (
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// Config is shared by all connections that are served alike; it must not
// change while one of them lives. A zero bound or duration takes the default
// that the field names.
type Config struct {
	Frame frame.Config

	// InboxBytes and InboxMessages bound what has arrived and waits for its
	// handler. Beyond them nothing more is read until half is handled. The
	// bound is checked after each read, so that one read's worth may come on
	// top. Zero: 256 KiB, 256.
	InboxBytes    int
	InboxMessages int

	// QueueBytes bounds what waits to be written; beyond it the connection
	// is closed with 1013. Zero: 1 MiB.
	QueueBytes int

	// Heartbeat is how long a peer may be silent before it is sent a ping,
	// and PongWait how long it then has to say anything at all before the
	// connection is closed with 4408. Zero: 25 s, 20 s. A negative Heartbeat
	// sends none. The first ping may come up to half as much later, so that
	// those who came together are not pinged together.
	Heartbeat time.Duration
	PongWait  time.Duration

	// PartialWait is how long a frame, or a message in fragments, may take
	// from its first byte to its last, and a second more for every 16 KiB of
	// it that have arrived; then the connection is closed with 1008. A peer
	// that sends a byte now and then would else hold its memory for ever.
	// Zero: 30 s.
	PartialWait time.Duration

	// WriteWait is how long the peer may take no byte of what is being
	// written, 64 KiB at a time. Zero: 30 s.
	WriteWait time.Duration

	// CloseWait bounds each step of the closing handshake: a handler that
	// still runs when the peer has gone, the peer's answer to our close
	// frame, its end of the stream. Zero: 5 s.
	CloseWait time.Duration

	// StallWait bounds how long a connection may stay unread because its
	// handlers do not keep up; then it is closed with 1013. Zero: 2 min.
	StallWait time.Duration

	// Meter counts over all connections that share it. Nil: nobody counts.
	Meter *Meter
}

// Meter counts over many connections. All fields may be read at any time.
type Meter struct {
	Queued   atomic.Int64 // bytes waiting to be written, now
	Received atomic.Int64 // whole messages, ever
	Sent     atomic.Int64 // frames accepted for writing, ever
	Slow     atomic.Int64 // connections closed with 1013 because their queue was full, ever
	Dropped  atomic.Int64 // frames that were refused or discarded because a queue was full, ever
}

// withDefaults fills the zero fields.
func (c Config) withDefaults() Config {
	fill := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	bound := func(n *int, v int) {
		if *n <= 0 {
			*n = v
		}
	}
	bound(&c.InboxBytes, 256<<10)
	bound(&c.InboxMessages, 256)
	bound(&c.QueueBytes, 1<<20)
	fill(&c.Heartbeat, 25*time.Second)
	fill(&c.PongWait, 20*time.Second)
	fill(&c.PartialWait, 30*time.Second)
	fill(&c.WriteWait, 30*time.Second)
	fill(&c.CloseWait, 5*time.Second)
	fill(&c.StallWait, 2*time.Minute)
	if c.Meter == nil {
		c.Meter = new(Meter)
	}
	return c
}

// Ready returns a copy of c with the defaults filled in, for sharing by
// pointer with [New].
func (c Config) Ready() *Config {
	r := c.withDefaults()
	return &r
}

// partialWait is PartialWait for a message of which so much is in memory.
func (c *Config) partialWait(buffered int) time.Duration {
	return c.PartialWait + time.Duration(buffered/(16<<10))*time.Second
}
