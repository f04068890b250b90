package conn

import "time"

// heartbeat lets the reader's own deadline do the work of a timer: it is
// armed once per interval, not once per read.
type heartbeat struct {
	p      *portable
	last   time.Time // when the peer was last heard
	pinged time.Time // when it was pinged since then; zero if it was not
}

// heard notes a sign of life; any byte is one.
func (h *heartbeat) heard() {
	h.last = time.Now()
	if !h.pinged.IsZero() {
		h.pinged = time.Time{}
		h.arm()
	}
}

// arm sets the next deadline.
func (h *heartbeat) arm() {
	if h.p.cfg.Heartbeat < 0 {
		return
	}
	at := h.last.Add(h.p.cfg.Heartbeat)
	if !h.pinged.IsZero() {
		at = h.pinged.Add(h.p.cfg.PongWait)
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
	switch asked := !h.pinged.IsZero(); {
	case asked && time.Since(h.pinged) >= h.p.cfg.PongWait:
		h.p.Close(codeNoHeartbeat, "no sign of life")
		h.p.mu.Lock()
		h.p.linger()
		h.p.mu.Unlock()
		return false
	case !asked && time.Since(h.last) >= h.p.cfg.Heartbeat:
		h.p.ping()
		h.pinged = time.Now()
	}
	h.arm()
	return false
}
