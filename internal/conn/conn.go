package conn

import (
	"errors"
	"sync"

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
	codePolicy      = 1008
	codeTryAgain    = 1013
	codeNoHeartbeat = 4408
)

// transport is what an engine adds to a Conn: how its bytes move. All but
// start and shut are called with Conn.mu held.
type transport interface {
	// start begins to read, with the bytes that came behind the handshake.
	// It is called once.
	start(early []byte)
	// shut ends the network connection at once. Any goroutine, any number
	// of times, without Conn.mu.
	shut()
	// flush makes a flusher run: something is queued.
	flush()
	// settle is flush when the executor has nothing left to do, and may write
	// there and then. It may let go of Conn.mu meanwhile.
	settle() error
	// pause stops reading, resume goes on.
	pause()
	resume()
	// linger starts the deadline of Config.CloseWait for the next step of the
	// peer, or starts it afresh.
	linger()
	// settled tells that Closed is about to run: nothing is left to write.
	settled()
}

// Conn is one live connection. Its methods may be called by any goroutine,
// inside callbacks too, and none of them blocks.
//
// Its fields are few, because there may be a million of them at rest: what
// only a busy or a closing connection needs hangs on a pointer.
type Conn struct {
	cfg *Config
	ev  Events
	tr  transport

	// Reader state: whoever feeds.
	parser frame.Parser

	mu sync.Mutex // guards everything below

	in     *inbox  // what the executor has to do; nil at rest
	out    *outbox // what is to be written; nil at rest
	queued int     // bytes in out
	why    *Close  // how it ends; nil while nobody knows

	phase      phase
	started    bool
	slow       bool // the queue was full: Close is on its way
	dead       bool // no byte can be written any more
	deaf       bool // what arrives is discarded
	peerClosed bool // the peer's close frame has arrived
	failed     bool // the peer broke the protocol: no close frame of its own will be understood
	said       bool // our close frame is written
	announced  bool // ev.Closing has returned
	refused    bool // a Push: Writable is owed
	inline     bool // the reader runs the handlers; set before Start
	running    bool // there is an executor, or the reader is one
	paused     bool // nothing is read until the inbox is half empty
	writing    bool // a flusher has taken frames
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
	c.in = c.in.pushFirst(step{kind: stepOpened})
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
		c.cfg.Meter.Dropped.Add(int64(c.dropQueue()) + 1) // the close frame should reach a peer that wakes up
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
// answers false if it took none; Writable comes when it would. What the
// network takes at once is written before Push returns. A connection that is
// closing takes everything and writes nothing.
func (c *Conn) Push(pieces [][]byte) bool {
	c.mu.Lock()
	if c.phase > phaseOpen || c.dead || c.slow {
		c.mu.Unlock()
		return true
	}
	if c.queued > 0 || c.writing {
		c.refused = true
		c.mu.Unlock()
		return false
	}
	for _, b := range pieces {
		c.put(b)
	}
	err := c.tr.settle()
	c.kick() // what settle has left
	c.mu.Unlock()
	if err != nil {
		c.lost(err.Error())
	}
	return true
}

// Finish is Push for what the owner's queue still holds when the connection is
// about to close: it is taken behind whatever is queued already, and not
// refused for its size, which that queue has bounded.
func (c *Conn) Finish(pieces [][]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase > phaseOpen || c.dead || c.slow {
		return
	}
	for _, b := range pieces {
		c.put(b)
	}
	c.kick()
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
	if c.phase > phaseOpen || c.why != nil {
		return
	}
	c.why = &Close{Code: code, Reason: reason}
	c.deafen()
	c.push(step{kind: stepDrain})
}

// Abort ends the connection without a handshake.
func (c *Conn) Abort() {
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
	case c.paused || c.in.full(c.cfg):
		return ErrInboxFull
	}
	return nil
}

// queue appends a frame to the output. Called with mu held.
func (c *Conn) queue(b []byte) {
	if c.dead || len(b) == 0 {
		return
	}
	c.put(b)
	c.kick()
}

// queueAnswer queues the answer to the handshake, which leaves before everything
// else and is not dropped. Called by the engine before anybody else knows c.
func (c *Conn) queueAnswer(b []byte) {
	if len(b) > 0 {
		c.queue(b)
		c.out.answer = true
	}
}

// put is queue without telling the flusher. Called with mu held.
func (c *Conn) put(b []byte) {
	c.out = c.out.put(b)
	c.queued += len(b)
	c.cfg.Meter.Queued.Add(int64(len(b)))
}

// kick makes a flusher run if there is something to write. Called with mu
// held.
func (c *Conn) kick() {
	if c.started && !c.dead && !c.out.empty() {
		c.tr.flush()
	}
}

// take gives the flusher frames of about size bytes, at most as many as into
// has room for; until it calls wrote, no other flusher may. Called with mu
// held.
func (c *Conn) take(into [][]byte, size int) [][]byte {
	c.writing = true
	return c.out.take(into, size)
}

// wrote ends what take began: n bytes are written. Called with mu held.
func (c *Conn) wrote(n int) {
	c.writing = false
	c.queued -= n
	c.cfg.Meter.Queued.Add(int64(-n))
	if c.out != nil {
		c.out.wrote(n)
	}
	if c.dead {
		c.abandon()
	} else if c.out.empty() {
		if c.out != nil {
			c.out.free()
			c.out = nil
		}
		if c.refused && c.phase == phaseOpen {
			c.refused = false
			go c.ev.Writable() // without mu
		}
	}
}

// dropQueue forgets the frames that no flusher has begun, and answers how many
// they were. Called with mu held.
func (c *Conn) dropQueue() int {
	count, bytes := c.out.drop()
	c.queued -= bytes
	c.cfg.Meter.Queued.Add(int64(-bytes))
	return count
}

// abandon forgets everything that is queued, for nothing can be written any
// more; what a flusher has taken follows when it is done. Called with mu held.
func (c *Conn) abandon() {
	c.dropQueue()
	if !c.writing {
		c.cfg.Meter.Queued.Add(int64(-c.queued))
		c.queued, c.out = 0, nil
	}
}

// push gives the executor a step. Called with mu held.
func (c *Conn) push(s step) {
	c.in = c.in.push(s)
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

// execute runs the owner's callbacks until there are none left, and then
// writes what they sent.
func (c *Conn) execute() {
	for {
		c.mu.Lock()
		if c.in.empty() {
			c.rest()
			return
		}
		s := c.in.pop()
		if c.paused && c.in.half(c.cfg) {
			c.unpause()
		}
		c.mu.Unlock()
		switch s.kind {
		case stepOpened:
			c.ev.Opened()
		case stepReceived:
			if s.compressed {
				c.receiveCompressed(s)
			} else {
				c.ev.Received(s.op, s.payload)
			}
		case stepEnd, stepDrain:
			c.end()
		case stepClosed:
			c.ev.Closed(*c.why) // why is settled: phaseOver
		}
	}
}

// rest ends the executor. Called with mu held, which it releases.
func (c *Conn) rest() {
	if c.in != nil {
		c.in.free()
		c.in = nil
	}
	c.running = false
	err := c.tr.settle()
	c.mu.Unlock()
	if err != nil {
		c.lost(err.Error())
	}
}

// unpause lets the reader go on. Called with mu held.
func (c *Conn) unpause() {
	c.paused = false
	c.tr.resume()
}
