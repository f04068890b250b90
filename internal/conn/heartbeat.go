package conn

import "time"

// heartbeat lets the reader's own deadline do the work of timers: it is armed
// for the first of what may come, looked at when it passes, and not touched by
// each read.
type heartbeat struct {
	p      *portable
	last   time.Time // when the peer was last heard
	pinged time.Time // when it was pinged since then; zero if it was not
	begun  time.Time // when the frame that lacks its end began; zero without one
}

// heard notes a sign of life, after what came was fed; any byte is one.
func (h *heartbeat) heard() {
	h.last = time.Now()
	rearm := !h.pinged.IsZero()
	h.pinged = time.Time{}
	switch partial := h.p.parser.Partial(); {
	case !partial:
		h.begun = time.Time{}
	case h.begun.IsZero():
		h.begun = h.last
		rearm = true
	}
	if rearm {
		h.arm()
	}
}

// next answers the first deadline, zero for none.
func (h *heartbeat) next() (at time.Time) {
	switch {
	case h.p.cfg.Heartbeat < 0:
	case h.pinged.IsZero():
		at = h.last.Add(h.p.cfg.Heartbeat)
	default:
		at = h.pinged.Add(h.p.cfg.PongWait)
	}
	if !h.begun.IsZero() {
		if end := h.finish(); at.IsZero() || end.Before(at) {
			at = end
		}
	}
	return at
}

// finish answers when the frame that was begun must be whole.
func (h *heartbeat) finish() time.Time {
	return h.begun.Add(h.p.cfg.partialWait(h.p.parser.Buffered()))
}

// arm sets the next deadline.
func (h *heartbeat) arm() {
	at := h.next()
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if !h.p.lingering {
		h.p.setReadDeadline(at)
	}
}

// resume starts afresh after a pause that was ours: the peer may have
// answered, and nobody read it.
func (h *heartbeat) resume() {
	h.last, h.pinged = time.Now(), time.Time{}
	if !h.begun.IsZero() {
		h.begun = h.last
	}
	h.arm()
}

// expired is asked when the deadline has passed: false means go on reading.
func (h *heartbeat) expired() bool {
	h.p.mu.Lock()
	lingering := h.p.lingering
	h.p.mu.Unlock()
	if lingering {
		return true
	}
	now := time.Now()
	switch cfg := h.p.cfg; {
	case !h.begun.IsZero() && !now.Before(h.finish()):
		h.p.unfinished()
		h.begun = time.Time{}
	case cfg.Heartbeat < 0:
	case h.pinged.IsZero():
		if now.Sub(h.last) >= cfg.Heartbeat {
			h.p.ping()
			h.pinged = now
		}
	case now.Sub(h.pinged) >= cfg.PongWait:
		h.p.Close(codeNoHeartbeat, "no sign of life")
		h.p.mu.Lock()
		h.p.linger()
		h.p.mu.Unlock()
		return false
	}
	h.arm()
	return false
}
