package hub

import (
	"slices"
	"sync"
)

// task is one thing for the pump to do.
type task struct {
	log    *log
	member *Member
	part   *part // a part of a walk that others share
}

// work is the queue of tasks.
type work struct {
	mu    sync.Mutex
	tasks []task
	head  int
}

// ready queues a task and wakes the pump if it may be asleep.
func (h *Hub) ready(t task) {
	w := &h.work
	w.mu.Lock()
	asleep := w.head == len(w.tasks)
	w.tasks = append(w.tasks, t)
	w.mu.Unlock()
	if asleep {
		h.options.Wake()
	}
}

// Idle tells whether Step has nothing to do.
func (h *Hub) Idle() bool {
	h.work.mu.Lock()
	defer h.work.mu.Unlock()
	return h.work.head == len(h.work.tasks)
}

func (w *work) pop() (t task, rest, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.head == len(w.tasks) {
		return t, false, false
	}
	t = w.tasks[w.head]
	w.tasks[w.head] = task{}
	if w.head++; w.head == len(w.tasks) {
		if cap(w.tasks) > 4096 {
			w.tasks = nil
		}
		w.tasks, w.head = w.tasks[:0], 0
	} else if w.head > 4096 && w.head > len(w.tasks)/2 {
		w.tasks = slices.Delete(w.tasks, 0, w.head)
		w.head = 0
	}
	return t, w.head < len(w.tasks), true
}

// Step does one thing that waits to be done; false if there was none. It may
// be called by several goroutines at once.
func (h *Hub) Step() bool {
	t, rest, ok := h.work.pop()
	if rest { // there is something for another one to do
		h.options.Wake()
	}
	switch {
	case !ok:
		return false
	case t.member != nil:
		h.bringUpToDate(t.member)
	case t.part != nil:
		h.walk(t.part)
	default:
		h.begin(t.log)
	}
	return true
}

// bringUpToDate pushes what was sent to one member, and what it missed.
func (h *Hub) bringUpToDate(m *Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queued = false
	h.flush(m)
}

// flush pushes all that a member is owed until its sink refuses. Called with
// m.mu held.
func (h *Hub) flush(m *Member) {
	if m.blocked || m.gone || m.condemned {
		return
	}
	h.pushAll(m)
	if !m.blocked && m.late() { // no walk brings it what was sent meanwhile
		h.prompt(m)
	}
}

func (h *Hub) pushAll(m *Member) {
	// What was sent so far is in its log or backlog, or its sender has not
	// returned yet: so that up to limit nothing can turn up between.
	limit := h.seq.Load()
	for {
		if b := m.backlog; b != nil && len(b.list) <= batchEntries && b.bytes <= batchBytes && m.arrears == nil && !m.pendingInLogs() {
			h.pushBacklog(m)
			return
		}
		batch, more := m.collect(limit)
		if len(batch) == 0 {
			return
		}
		p, frames := pieces(batch)
		if frames > 0 && !m.Sink.Push(p) {
			m.block()
			return
		}
		h.taken.Add(int64(frames))
		h.settle(m, batch)
		if !more {
			return
		}
	}
}

// pushBacklog pushes the backlog of a member that is owed nothing else: the
// case of every answer.
func (h *Hub) pushBacklog(m *Member) {
	scratch := piecesPool.Get().(*[][]byte)
	pieces := m.backlog.frames((*scratch)[:0])
	if m.Sink.Push(pieces) {
		h.taken.Add(int64(len(pieces)))
		left, freed := m.backlog.drop(len(pieces))
		m.backlog = left
		h.pinned.Add(int64(-freed))
	} else {
		m.block()
	}
	clear(pieces)
	if *scratch = pieces; cap(pieces) <= keepBacklog {
		piecesPool.Put(scratch)
	}
}

// piecesPool lends room for what is handed to a sink, which keeps the pieces but not
// the slice of them.
var piecesPool = sync.Pool{New: func() any { return new([][]byte) }}

// block remembers that the sink takes nothing for now.
func (m *Member) block() {
	m.blocked = true
	for _, s := range m.subs {
		if s.behind() {
			s.log.mu.Lock()
			s.log.fallBehind(s)
			s.log.mu.Unlock()
		}
	}
}

// prompt tells the pump that a member is owed something. Called with m.mu held.
func (h *Hub) prompt(m *Member) {
	if !m.queued && !m.blocked {
		m.queued = true
		h.ready(task{member: m})
	}
}
