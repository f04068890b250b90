package hub

import (
	"errors"
	"sync"
	"sync/atomic"
)

// Errors of the hub.
var (
	// ErrGone: the member has been removed.
	ErrGone = errors.New("the member has left")
	// ErrSlow: the member is too far behind.
	ErrSlow = errors.New("the member is too far behind")
)

// Options bound a hub. Zero fields take the defaults.
type Options struct {
	// Wake is called when there is work that one more caller of Step could
	// do. It must not block and must not call the hub.
	Wake func()
	// Yield is called by Step before it begins with many members: it lets everyone
	// else who is ready run, and then returns. Nil: nobody is let.
	Yield func()
	// LogBytes is how much one address may keep for members that are behind;
	// beyond it the [Policy] of those furthest behind decides. Zero: 1 MiB.
	LogBytes int
	// MemberBytes is how much may wait for one member alone: what was sent to
	// it, and what is left to it of addresses that it left or that were
	// compacted. What was replayed does not count. Zero: 1 MiB.
	MemberBytes int
	// NodeBytes is how much may wait in all; beyond it the [Policy] of whoever
	// is furthest behind at an address that is sent to decides. Zero: 512 MiB.
	NodeBytes int64
}

// Hub is the directory of a node and the mover of its messages. Its methods
// may be called by any goroutine and do not block.
type Hub struct {
	options   Options
	seq       atomic.Uint64 // of the last entry
	pinned    atomic.Int64  // bytes that wait
	taken     atomic.Int64  // messages that sinks took
	lagged    atomic.Int64
	compacted atomic.Int64
	work      work

	mu      sync.RWMutex // guards the directory; taken before a member's
	members map[string]*Member
	logs    map[Address]*log
	users   int
	rooms   int
}

// New returns an empty hub.
func New(o Options) *Hub {
	if o.Wake == nil {
		o.Wake = func() {}
	}
	if o.LogBytes <= 0 {
		o.LogBytes = 1 << 20
	}
	if o.MemberBytes <= 0 {
		o.MemberBytes = 1 << 20
	}
	if o.NodeBytes <= 0 {
		o.NodeBytes = 512 << 20
	}
	return &Hub{options: o, members: make(map[string]*Member), logs: make(map[Address]*log)}
}

// Send sends to every member at the address but one, which gets msg.Instead.
func (h *Hub) Send(to Address, msg Message, except *Member) {
	h.mu.RLock()
	l := h.logs[to]
	if l == nil {
		h.mu.RUnlock()
		return
	}
	l.mu.Lock()
	t := l.append(h.seq.Add(1), msg, except)
	start := !t.dirty && !t.walking
	t.dirty = true
	total := h.pinned.Add(int64(len(msg.Frame) + len(t.entries[len(t.entries)-1].instead)))
	over := t.pinned > h.options.LogBytes || total > h.options.NodeBytes
	l.mu.Unlock()
	h.mu.RUnlock()
	if start {
		h.ready(task{log: l})
	}
	if over {
		h.relieve(l)
	}
}

// SendTo sends to one member. ErrGone: it has been removed. ErrSlow: it was
// too far behind, and its Overflow was called.
func (h *Hub) SendTo(m *Member, frame []byte) error {
	m.mu.Lock()
	switch {
	case m.gone:
		m.mu.Unlock()
		return ErrGone
	case m.condemned:
		m.mu.Unlock()
		return ErrSlow
	}
	if waiting := m.waiting(); waiting > 0 && waiting+len(frame) > h.options.MemberBytes {
		m.mu.Unlock()
		h.condemn(m)
		return ErrSlow
	}
	m.backlog = m.backlog.add(direct{h.seq.Add(1), frame})
	start := !m.queued && !m.blocked
	m.queued = m.queued || start
	m.mu.Unlock()
	h.pinned.Add(int64(len(frame)))
	if start {
		h.ready(task{member: m})
	}
	return nil
}

// Writable tells that a sink which refused a Push would take one now.
func (h *Hub) Writable(m *Member) {
	m.mu.Lock()
	start := m.blocked && !m.gone && !m.queued
	m.blocked = false
	m.queued = m.queued || start
	m.mu.Unlock()
	if start {
		h.ready(task{member: m})
	}
}

// Finish answers all that a member is owed and is never going to get from the
// pump: for whoever is about to close its sink.
func (h *Hub) Finish(m *Member) (all [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	limit := h.seq.Load()
	for !m.gone {
		batch, more := m.collect(limit)
		p, _ := pieces(batch)
		all = append(all, p...)
		h.settle(m, batch)
		if !more {
			break
		}
	}
	return all
}

// condemn ends a member that is too far behind. It keeps its places until it
// is removed, but holds nothing back any more.
func (h *Hub) condemn(m *Member) {
	m.mu.Lock()
	first := !m.condemned && !m.gone
	if first {
		m.condemned = true
		h.writeOff(m)
	}
	m.mu.Unlock()
	if first {
		m.Sink.Overflow()
	}
}
