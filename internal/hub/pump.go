package hub

import (
	"slices"
	"sync"
	"sync/atomic"
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
	// What was sent so far is in its log or backlog, or its sender has not
	// returned yet: so that up to limit nothing can turn up between.
	limit := h.seq.Load()
	for {
		if len(m.backlog) > 0 && len(m.backlog) <= batchEntries && m.owed <= batchBytes && !m.pendingInLogs() {
			h.flushBacklog(m)
			return
		}
		batch, more := m.collect(limit)
		if len(batch) == 0 {
			return
		}
		if p := pieces(batch); len(p) > 0 && !m.Sink.Push(p) {
			m.block()
			return
		}
		h.taken.Add(int64(len(batch)))
		h.settle(m, batch)
		if !more {
			return
		}
	}
}

// flushBacklog pushes the backlog of a member that its logs owe nothing: the
// case of every answer.
func (h *Hub) flushBacklog(m *Member) {
	pieces := make([][]byte, len(m.backlog))
	for i, d := range m.backlog {
		pieces[i] = d.frame
	}
	if !m.Sink.Push(pieces) {
		m.block()
		return
	}
	h.taken.Add(int64(len(pieces)))
	h.pinned.Add(int64(-m.owed))
	m.owed = 0
	clear(m.backlog)
	if m.backlog = m.backlog[:0]; cap(m.backlog) > 4 {
		m.backlog = nil // an idle member keeps no memory for it
	}
}

// block remembers that the sink takes nothing for now.
func (m *Member) block() {
	m.blocked = true
	for _, s := range m.subs {
		if s.behind() {
			s.log.mu.Lock()
			s.log.lag(s)
			s.log.mu.Unlock()
		}
	}
}

// settle moves the member's cursors behind a batch, and lets logs forget what
// it alone had kept them from forgetting.
func (h *Hub) settle(m *Member, batch []due) {
	h.pinned.Add(int64(-m.settle(batch)))
	for _, s := range m.subs {
		l := s.log
		l.mu.Lock()
		if len(l.lagging) > 0 {
			h.pinned.Add(int64(-l.trim()))
		}
		l.mu.Unlock()
	}
}

// stroll is one walk along a log: every member gets what it is owed up to a
// certain entry.
type stroll struct {
	log      *log
	from, to uint64 // most members are owed this
	excluded []*Member
	runs     [Renditions]atomic.Pointer[[][]byte] // what most members are owed, by rendition
	left     atomic.Int32                         // parts not done
}

// part is a part of a stroll.
type part struct {
	*stroll
	subs []*sub
}

// partSize is how many members one goroutine walks at a time; a large address
// is shared among all that call Step.
const partSize = 1024

// begin starts a walk along a log.
func (h *Hub) begin(l *log) {
	l.mu.Lock()
	l.dirty, l.walking = false, true
	s := &stroll{log: l, from: max(l.walked, l.base), to: l.head.Load()}
	subs := slices.Clone(l.subs)
	s.excluded = l.excluded(s.from, s.to)
	l.mu.Unlock()

	parts := max(1, (len(subs)+partSize-1)/partSize)
	s.left.Store(int32(parts))
	for i := 1; i < parts; i++ {
		h.ready(task{part: &part{s, subs[i*partSize : min(len(subs), (i+1)*partSize)]}})
	}
	h.walk(&part{s, subs[:min(len(subs), partSize)]})
}

// walk brings the members of one part up to date.
func (h *Hub) walk(p *part) {
	run := 0
	for _, s := range p.subs {
		if h.visit(p.stroll, s) {
			run++
		}
	}
	h.taken.Add(int64(run) * int64(p.to-p.from))
	if p.left.Add(-1) == 0 {
		h.finish(p.stroll)
	}
}

// visit brings one member up to date: with the run that most are owed if that
// is all it is owed, else with everything, in order.
func (h *Hub) visit(w *stroll, s *sub) (tookRun bool) {
	m := s.member
	m.mu.Lock()
	defer m.mu.Unlock()
	at := s.cursor.Load()
	switch {
	case m.gone || m.condemned || at >= w.to:
	case m.blocked:
		w.log.mu.Lock()
		w.log.lag(s)
		w.log.mu.Unlock()
	case at != w.from || slices.Contains(w.excluded, m) || m.pendingElsewhere(s):
		h.flush(m)
	case m.Sink.Push(w.run(m.Rendition)):
		s.cursor.Store(w.to)
		return true
	default:
		m.block()
	}
	return false
}

// run answers the bytes of the walk in a rendition.
func (w *stroll) run(r Rendition) [][]byte {
	if p := w.runs[r].Load(); p != nil {
		return *p
	}
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	if w.from < w.log.base { // everybody left meanwhile
		return nil
	}
	pieces := w.log.run(r, w.from, w.to)
	w.runs[r].Store(&pieces)
	return pieces
}

// finish ends a walk; what was sent meanwhile starts the next.
func (h *Hub) finish(w *stroll) {
	l := w.log
	l.mu.Lock()
	l.walked = max(l.walked, w.to)
	h.pinned.Add(int64(-l.trim()))
	l.walking = false
	again := l.dirty
	l.mu.Unlock()
	if again {
		h.ready(task{log: l})
	}
}
