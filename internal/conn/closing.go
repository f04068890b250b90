package conn

import (
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// The ways to an end:
//
//	we close         Close: the close frame is queued behind what was sent.
//	we drain         stepDrain on the executor, then as above.
//	the peer closes  stepEnd on the executor, so that what it sent before is
//	                 handled and answered first; then its code is echoed
//	                 (RFC 6455 section 5.5.1).
//	a broken frame   as above, with the code of the failure (7.1.7).
//	the peer is gone lost: stepEnd on the executor, and nothing is sent.
//
// All meet in startClose, which happens once, and finish, which happens once.

// startClose leaves phaseOpen: why is settled and the close frame queued.
// Called with mu held; the caller calls announce after unlocking.
func (c *Conn) startClose(why Close) {
	c.phase = phaseClosing
	c.why = &why
	c.deafen()
	if c.dead {
		c.finish()
		return
	}
	c.queue(frame.AppendClose(nil, why.Code, why.Reason))
}

// deafen stops taking messages. Called with mu held.
func (c *Conn) deafen() {
	c.deaf = true
	c.in.dropMessages()
	if c.paused { // the reader still has to see the peer's end
		c.unpause()
	}
}

// end runs on the executor when everything before it has been handled.
func (c *Conn) end() {
	c.mu.Lock()
	if !c.dead && c.phase == phaseOpen {
		why, failed := *c.why, c.failed
		c.mu.Unlock()
		c.ev.Ending(why, failed)
		c.mu.Lock()
	}
	if c.phase > phaseOpen {
		c.mu.Unlock()
		return
	}
	c.startClose(*c.why)
	c.mu.Unlock()
	c.announce()
}

// announce calls ev.Closing, behind which Closed may come. Called once, by
// whoever has left phaseOpen, without mu.
func (c *Conn) announce() {
	c.ev.Closing()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.announced = true
	if c.phase == phaseOver {
		c.push(step{kind: stepClosed})
	}
}

// peerEnded is called by the reader when no message can follow: after the
// peer's close frame (byPeer), or after a frame that breaks the protocol.
func (c *Conn) peerEnded(why Close, byPeer bool) {
	c.mu.Lock()
	if c.peerClosed || c.failed {
		c.mu.Unlock()
		return // nothing that follows means anything, and must not prolong the deadline
	}
	if byPeer {
		c.peerClosed = true
	} else {
		c.failed = true
	}
	c.tr.linger()
	switch {
	case c.phase == phaseClosing:
		if c.said {
			c.finish()
		}
	case c.phase == phaseOpen && !c.deaf:
		c.why = &why
		c.deaf = true // what has arrived is still handled
		c.push(step{kind: stepEnd})
	}
	c.mu.Unlock()
	c.ev.Deaf(ErrClosed)
}

// closeWritten is called by the flusher when everything queued is written and
// the connection is closing: the last frame was the close frame. Called with
// mu held.
func (c *Conn) closeWritten() {
	c.said = true
	c.tr.linger()
	if c.peerClosed || c.failed {
		c.finish()
	}
}

// lost is called when the transport is gone: read or write failed, or a
// deadline passed.
func (c *Conn) lost(reason string) {
	c.mu.Lock()
	if c.dead {
		c.mu.Unlock()
		return
	}
	c.dead = true
	c.abandon()
	switch c.phase {
	case phaseOpen:
		busy := c.running
		if !c.deaf {
			c.deaf = true
			c.why = &Close{Code: codeAbnormal, Reason: reason}
			c.push(step{kind: stepEnd})
		}
		// A handler may be waiting for its context, which ends with Closing.
		if busy {
			time.AfterFunc(c.cfg.CloseWait, c.expire)
		}
	case phaseClosing:
		c.finish()
	}
	if c.paused {
		c.unpause()
	}
	c.mu.Unlock()
	c.tr.shut()
	c.ev.Deaf(ErrClosed)
}

// expire ends the wait for a handler when the transport is gone.
func (c *Conn) expire() {
	c.mu.Lock()
	if c.phase > phaseOpen {
		c.mu.Unlock()
		return
	}
	c.phase = phaseClosing
	c.finish()
	c.mu.Unlock()
	c.announce()
}

// finish queues the last callback, behind Closing. Called with mu held.
func (c *Conn) finish() {
	if c.phase == phaseOver {
		return
	}
	c.phase = phaseOver
	c.why.Clean = c.peerClosed && c.said
	if c.why.Code == 0 {
		c.why.Code = codeNoStatus
	}
	if c.announced { // else announce does it
		c.push(step{kind: stepClosed})
	}
	c.tr.settled()
}
