package conn

import "time"

// heartbeat lets the reader's own deadline do the work of a timer: it is
// armed once per interval, not once per read.
type heartbeat struct {
	p      *portable
	last   time.Time // when the peer was last heard
	pinged bool      // since then
}

// heard notes a sign of life; any byte is one.
func (h *heartbeat) heard() {
	h.last = time.Now()
	h.pinged = false
}

// arm sets the next deadline.
func (h *heartbeat) arm() {
	if h.p.cfg.Heartbeat < 0 {
		return
	}
	at := h.last.Add(h.p.cfg.Heartbeat)
	if h.pinged {
		at = at.Add(h.p.cfg.PongWait)
	}
	h.p.mu.Lock()
	defer h.p.mu.Unlock()
	if !h.p.lingering {
		h.p.nc.SetReadDeadline(at)
	}
}

// resume starts afresh after a pause that was ours: the peer may have
// answered, and nobody read it.
func (h *heartbeat) resume() {
	h.heard()
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
	silent := time.Since(h.last)
	switch {
	case h.pinged && silent >= h.p.cfg.Heartbeat+h.p.cfg.PongWait:
		h.p.Close(codeNoHeartbeat, "no sign of life")
		h.p.mu.Lock()
		h.p.linger(h.p.cfg.CloseWait)
		h.p.mu.Unlock()
		return false
	case !h.pinged && silent >= h.p.cfg.Heartbeat:
		h.p.ping()
		h.pinged = true
	}
	h.arm()
	return false
}
