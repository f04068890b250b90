package hub

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// stroll is one walk along a log: every current member gets what it is owed up
// to a certain entry.
type stroll struct {
	log      *log
	from, to uint64 // most members are owed this
	subs     []*sub
	excluded []*Member
	runs     [Renditions]atomic.Pointer[[][]byte] // what most members are owed, by rendition
	left     atomic.Int32                         // parts not done
}

// part is a part of a stroll.
type part struct {
	*stroll
	subs []*sub
}

// strolls are those that are over.
var strolls = sync.Pool{New: func() any { return new(stroll) }}

// free gives a stroll back of which no part is left.
func (w *stroll) free() {
	clear(w.subs)
	*w = stroll{subs: w.subs[:0]}
	strolls.Put(w)
}

// partSize is how many members one goroutine walks at a time; a large address
// is shared among all that call Step.
const partSize = 1024

const (
	// gatherMin is how many members a walk must have for others to be let run before it.
	gatherMin = 64
	// gatherShare is how many members there must be for each time that they are: to
	// read a message and to handle it takes about as long as to write to one or two.
	gatherShare = 8
	// gatherWait is how long others may take for each member: a small part of what it
	// takes to write to it.
	gatherWait = 500 * time.Nanosecond
)

// gather lets those run who are about to send to a log of many members, for as long as
// each time something comes: it then leaves together with what is there already, and
// that saves as many system calls as there are members.
func (h *Hub) gather(l *log) {
	if h.options.Yield == nil {
		return
	}
	l.mu.Lock()
	members := l.current
	l.mu.Unlock()
	if members < gatherMin {
		return
	}
	began := time.Now()
	for range members / gatherShare {
		before := l.head.Load()
		h.options.Yield()
		if l.head.Load() == before || time.Since(began) > time.Duration(members)*gatherWait {
			return
		}
	}
}

// begin starts a walk along a log.
func (h *Hub) begin(l *log) {
	h.gather(l)
	l.mu.Lock()
	t := l.traffic
	if t == nil { // everybody left
		l.mu.Unlock()
		return
	}
	t.dirty, t.walking = false, true
	w := strolls.Get().(*stroll)
	w.log, w.from, w.to = l, t.walked, l.head.Load()
	w.subs = append(w.subs, l.subs[:l.current]...)
	w.excluded = t.excluded(w.from, w.to)
	l.mu.Unlock()

	subs := w.subs // w is another's once its last part is done
	parts := max(1, (len(subs)+partSize-1)/partSize)
	w.left.Store(int32(parts))
	for i := 1; i < parts; i++ {
		h.ready(task{part: &part{w, subs[i*partSize : min(len(subs), (i+1)*partSize)]}})
	}
	h.walk(&part{w, subs[:min(len(subs), partSize)]})
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
		p.stroll.free()
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
	case s.state != current || at >= w.to:
	case m.blocked:
		w.log.mu.Lock()
		w.log.fallBehind(s)
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
	pieces := w.log.traffic.run(r, w.from, w.to)
	w.runs[r].Store(&pieces)
	return pieces
}

// finish ends a walk; what was sent meanwhile starts the next.
func (h *Hub) finish(w *stroll) {
	l := w.log
	l.mu.Lock()
	t := l.traffic
	if t == nil { // everybody left
		l.mu.Unlock()
		return
	}
	t.walked = w.to
	t.walking = false
	again := t.dirty
	h.pinned.Add(int64(-l.trim()))
	over := l.traffic != nil && l.traffic.pinned > h.options.LogBytes
	l.mu.Unlock()
	if again {
		h.ready(task{log: l})
	}
	if over { // with what was sent before it was known who is late
		h.relieve(l)
	}
}
