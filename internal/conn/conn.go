package conn

import (
	"errors"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// Errors that Send, Close and Deaf speak of.
var (
	ErrClosed    = errors.New("connection is closed")
	ErrSlow      = errors.New("connection closed: the peer reads too slowly")
	ErrTooLarge  = errors.New("frame is larger than the whole send queue")
	ErrInboxFull = errors.New("more has arrived than the handlers have taken")
)

// The close codes that the engine itself sends (RFC 6455 section 7.4.1; the
// last is the application's).
const (
	codeNoStatus    = 1005
	codeAbnormal    = 1006
	codeTryAgain    = 1013
	codeNoHeartbeat = 4408
)

// transport is what an engine adds to a Conn: how its bytes move.
type transport interface {
	// start begins to read, with the bytes that came behind the handshake.
	// It is called once.
	start(early []byte)
	// flush makes the flusher run: something is queued and none is running.
	// Called with Conn.mu held.
	flush()
	// shut ends the network connection at once. Any goroutine, any number
	// of times.
	shut()
	// linger starts the deadline for the peer's end of the stream, or moves
	// it. Called with Conn.mu held.
	linger(d time.Duration)
}

// Conn is one live connection. Its methods may be called by any goroutine,
// inside callbacks too, and none of them blocks.
type Conn struct {
	cfg *Config
	ev  Events
	tr  transport

	// Reader state: whoever feeds.
	parser frame.Parser

	mu sync.Mutex // guards everything below

	// Closing state.
	phase      phase
	why        Close
	started    bool
	slow       bool // the queue was full: Close is on its way
	dead       bool // no byte can be written any more
	deaf       bool // what arrives is discarded
	peerClosed bool // the peer's close frame has arrived
	failed     bool // the peer broke the protocol: no close frame of its own will be understood
	said       bool // our close frame is written
	announced  bool // ev.Closing has returned
	over       chan struct{}

	// Executor state.
	in      inbox
	running bool
	resume  chan struct{} // non-nil while the reader waits for the inbox to empty

	// Output state.
	out      [][]byte // frames that no flusher has taken yet
	queued   int      // bytes in out and in the flusher's hands
	flushing bool
	refused  bool // a Push: Writable is owed
}

type phase uint8

const (
	phaseOpen    phase = iota // both directions live; before Start, sends are only queued
	phaseClosing              // our close frame is queued, or the transport is dead
	phaseOver                 // Closed is queued or has run
)

// Start begins to serve: early is what the peer had sent behind its
// handshake. Opened is the first callback.
func (c *Conn) Start(early []byte) {
	c.mu.Lock()
	c.started = true
	c.in.pushFirst(step{kind: stepOpened})
	c.wake()
	c.kick()
	c.mu.Unlock()
	c.tr.start(early)
}

// Send queues one encoded frame behind those queued before. It never blocks.
// The bytes are shared: nobody may change them afterwards, and the same slice
// may be sent on many connections.
//
// ErrClosed: the connection is closing or gone. ErrSlow: the queue was full,
// and the connection is now closing with 1013. ErrTooLarge: the frame could
// never fit; the connection lives on.
func (c *Conn) Send(b []byte) error {
	c.mu.Lock()
	if c.phase > phaseOpen || c.dead || c.slow {
		c.mu.Unlock()
		return ErrClosed
	}
	if len(b) > c.cfg.QueueBytes {
		c.mu.Unlock()
		c.cfg.Meter.Dropped.Add(1)
		return ErrTooLarge
	}
	if c.queued+len(b) > c.cfg.QueueBytes {
		c.cfg.Meter.Slow.Add(1)
		c.cfg.Meter.Dropped.Add(int64(len(c.out)) + 1)
		c.dropQueue() // the close frame should reach a peer that wakes up
		c.slow = true
		c.mu.Unlock()
		go c.Close(codeTryAgain, "you read too slowly") // the sender may hold locks that ev.Closing wants
		return ErrSlow
	}
	c.queue(b)
	c.cfg.Meter.Sent.Add(1)
	c.mu.Unlock()
	return nil
}

// Push is Send for an owner that keeps a queue of its own: it takes frames, in
// pieces that are shared like Send's, only while nothing else is queued, and
// answers false if it took none; Writable comes when it would. A connection
// that is closing takes everything and writes nothing.
func (c *Conn) Push(pieces [][]byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase > phaseOpen || c.dead || c.slow {
		return true
	}
	if c.queued > 0 || c.flushing {
		c.refused = true
		return false
	}
	for _, b := range pieces {
		c.queue(b)
	}
	return true
}

// drained answers whether the owner is to be told that it may Push: nothing
// is queued any more. Called by the flusher as it ends, with mu held.
func (c *Conn) drained() (tell bool) {
	tell = c.refused && c.queued == 0 && c.phase == phaseOpen
	c.refused = c.refused && !tell
	return tell
}

// Close starts the closing handshake: what was sent before leaves first, the
// close frame follows, and messages that wait for their handler are dropped.
// Code 0 or 1005 sends an empty close frame. ErrClosed is returned if the
// connection was closing already.
func (c *Conn) Close(code int, reason string) error {
	c.mu.Lock()
	if c.phase > phaseOpen {
		c.mu.Unlock()
		return ErrClosed
	}
	c.startClose(Close{Code: code, Reason: reason})
	c.mu.Unlock()
	c.announce()
	return nil
}

// Drain is Close after the handler that runs now has returned; no other
// message is handled.
func (c *Conn) Drain(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase > phaseOpen || c.why.Code != 0 {
		return
	}
	c.why = Close{Code: code, Reason: reason}
	c.deafen()
	c.push(step{kind: stepDrain})
}

// Abort ends the connection without a handshake.
func (c *Conn) Abort() {
	c.tr.shut()
	c.lost("aborted")
}

// Queued answers how many bytes wait to be written.
func (c *Conn) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// Deaf answers whether an answer of the peer could be read now: nil,
// ErrInboxFull or ErrClosed.
func (c *Conn) Deaf() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.deaf || c.dead || c.phase > phaseOpen:
		return ErrClosed
	case c.resume != nil || c.in.full(c.cfg):
		return ErrInboxFull
	}
	return nil
}

// queue appends a frame to the output. Called with mu held.
func (c *Conn) queue(b []byte) {
	if c.dead || len(b) == 0 {
		return
	}
	c.out = append(c.out, b)
	c.queued += len(b)
	c.cfg.Meter.Queued.Add(int64(len(b)))
	c.kick()
}

// kick makes the flusher run if it should and does not. Called with mu held.
func (c *Conn) kick() {
	if !c.flushing && len(c.out) > 0 && c.started && !c.dead {
		c.flushing = true
		c.tr.flush()
	}
}

// dropQueue forgets the frames that no flusher has taken. Called with mu held.
func (c *Conn) dropQueue() {
	n := 0
	for _, b := range c.out {
		n += len(b)
	}
	c.out = nil
	c.queued -= n
	c.cfg.Meter.Queued.Add(int64(-n))
}

// push gives the executor a step. Called with mu held.
func (c *Conn) push(s step) {
	c.in.push(s)
	c.wake()
}

// wake makes the executor run if it does not. Before Start it stays asleep:
// whatever ends the connection until then comes behind Opened. Called with mu
// held.
func (c *Conn) wake() {
	if !c.running && c.started {
		c.running = true
		go c.execute()
	}
}

// execute runs the owner's callbacks until there are none left.
func (c *Conn) execute() {
	for {
		c.mu.Lock()
		s, ok := c.in.pop()
		if c.resume != nil && c.in.half(c.cfg) {
			close(c.resume)
			c.resume = nil
		}
		if !ok {
			c.running = false
			c.mu.Unlock()
			return
		}
		c.mu.Unlock()
		switch s.kind {
		case stepOpened:
			c.ev.Opened()
		case stepReceived:
			c.ev.Received(s.op, s.payload)
		case stepEnd, stepDrain:
			c.end()
		case stepClosed:
			c.ev.Closed(c.why) // why is settled: phaseOver
		}
	}
}
