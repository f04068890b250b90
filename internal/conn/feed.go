package conn

import (
	"errors"

	"github.com/finch-go/finch/internal/frame"
)

// feed takes bytes that arrived; b may be changed (frames are unmasked in
// place) and belongs to the caller again afterwards. Only the reader calls it.
func (c *Conn) feed(b []byte) {
	c.mu.Lock()
	failed := c.failed
	c.mu.Unlock()
	if failed {
		return // by unfinished or the executor; what the parser itself refused, it refuses again
	}
	for len(b) > 0 {
		ev, n, err := c.parser.Next(&c.cfg.Frame, b)
		b = b[n:]
		if err != nil {
			c.broken(err)
			return
		}
		switch ev.Opcode {
		case frame.Text, frame.Binary:
			c.arrived(ev)
		case frame.Ping:
			c.pong(ev.Payload)
		case frame.Close:
			c.peerEnded(Close{Code: ev.Code, Reason: ev.Reason}, true)
			return
		}
	}
}

// broken fails the connection (RFC 6455 section 7.1.7).
func (c *Conn) broken(err error) {
	why := Close{Code: 1002, Reason: err.Error()}
	var e *frame.Error
	if errors.As(err, &e) {
		why = Close{Code: e.Code, Reason: e.Reason}
	}
	c.peerEnded(why, false)
}

func (c *Conn) arrived(ev frame.Event) {
	c.mu.Lock()
	deaf := c.deaf
	c.mu.Unlock()
	if deaf {
		return
	}
	c.cfg.Meter.Received.Add(1)
	if ev.Compressed {
		c.arrivedCompressed(ev)
		return
	}
	if c.ev.Early(ev.Opcode, ev.Payload) {
		return
	}
	if c.inline && c.handle(ev) {
		return
	}
	p := ev.Payload
	if !ev.Owned {
		p = append(make([]byte, 0, len(p)), p...)
	}
	c.mu.Lock()
	if !c.deaf {
		c.push(step{kind: stepReceived, op: ev.Opcode, payload: p})
	}
	c.mu.Unlock()
}

// handle runs the handler here and now, with borrowed bytes, unless something
// that came before is still to be done.
func (c *Conn) handle(ev frame.Event) bool {
	c.mu.Lock()
	if c.running || c.deaf {
		c.mu.Unlock()
		return false
	}
	c.running = true
	c.mu.Unlock()
	c.ev.Received(ev.Opcode, ev.Payload)
	c.mu.Lock()
	if c.running = !c.in.empty(); c.running {
		go c.execute()
	}
	c.mu.Unlock()
	return true
}

// pong answers a ping. Behind a full queue it is left out: the peer is not
// reading anyway, and a later ping is answered (RFC 6455 section 5.5.3).
func (c *Conn) pong(payload []byte) {
	b := frame.AppendFrame(nil, frame.Pong, payload)
	c.mu.Lock()
	if c.phase == phaseOpen && c.queued+len(b) <= c.cfg.QueueBytes {
		c.queue(b)
	}
	c.mu.Unlock()
}

// ping asks the peer for a sign of life.
func (c *Conn) ping() {
	c.mu.Lock()
	if c.phase == phaseOpen {
		c.queue(pingFrame)
	}
	c.mu.Unlock()
}

var pingFrame = frame.AppendFrame(nil, frame.Ping, nil)

// stall is asked by the reader after each read: true means that reading has
// been paused, because the handlers do not keep up; the reader then calls
// ev.Deaf without a lock. Called with mu held.
func (c *Conn) stall() bool {
	if c.deaf || !c.in.full(c.cfg) {
		return false
	}
	c.paused = true
	c.tr.pause()
	return true
}

// unfinished fails a connection whose peer began a frame, or a message in
// fragments, and does not end it. Only the reader calls it.
func (c *Conn) unfinished() {
	c.peerEnded(Close{Code: codePolicy, Reason: "frame not finished in time"}, false)
}
