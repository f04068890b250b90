package conn

import (
	"bytes"

	"github.com/finch-go/finch/internal/frame"
)

// Waiter is an [Events] that can tell whether it waits for an answer of the
// peer. A compressed message is inflated by the executor when its turn has
// come, so that one peer's megabyte does not stall the neighbours that share
// its reader; only while somebody waits does the reader do it, so that an
// answer can overtake.
type Waiter interface {
	Events
	// Waits is called by the reader and must not block.
	Waits() bool
}

// arrivedCompressed is arrived for a message that is to be inflated (RFC 7692
// section 7.2.2).
func (c *Conn) arrivedCompressed(ev frame.Event) {
	s := step{kind: stepReceived, op: ev.Opcode, payload: ev.Payload, compressed: true}
	if w, ok := c.ev.(Waiter); ok && w.Waits() {
		p, err := c.inflate(s)
		if err != nil {
			c.broken(err)
			return
		}
		if c.ev.Early(s.op, p) {
			return
		}
		s.payload, s.compressed = p, false
	} else if !ev.Owned {
		s.payload = bytes.Clone(ev.Payload)
	}
	c.mu.Lock()
	if !c.deaf {
		c.push(s)
	}
	c.mu.Unlock()
}

// receiveCompressed is where such a message comes to its turn.
func (c *Conn) receiveCompressed(s step) {
	p, err := c.inflate(s)
	if err != nil {
		c.broken(err) // from here on nothing comes in
		c.mu.Lock()
		c.in.dropMessages() // and what came behind it means nothing
		c.mu.Unlock()
		return
	}
	if !c.ev.Early(s.op, p) {
		c.ev.Received(s.op, p)
	}
}

func (c *Conn) inflate(s step) ([]byte, error) {
	return frame.Inflate(s.op, s.payload, c.cfg.Frame.MaxMessage)
}
