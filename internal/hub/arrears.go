package hub

import (
	"cmp"
	"slices"
)

// arrears are what a member is owed, besides what was sent to it alone, that no
// log has for it: what is left of logs that it left or that were compacted, and
// what was replayed. Guarded by the member's mu.
type arrears struct {
	list     []overdue // in order
	kept     int       // bytes of what came from logs
	replayed int       // bytes of what was replayed
}

// overdue is one frame of arrears.
type overdue struct {
	seq  uint64
	span span
	log  *log // nil: it was replayed
	key  string
}

// count adds n times a frame to the bytes.
func (a *arrears) count(o *overdue, n int) {
	if o.log == nil {
		a.replayed += n * o.span.len()
	} else {
		a.kept += n * o.span.len()
	}
}

// arrearsBytes answers how many bytes the member's arrears are.
func (m *Member) arrearsBytes() int {
	if m.arrears == nil {
		return 0
	}
	return m.arrears.kept + m.arrears.replayed
}

// owe adds to the arrears of a member, in order, and answers how many bytes
// that are.
func (m *Member) owe(list []overdue) (added int) {
	if len(list) == 0 {
		return 0
	}
	before := m.arrearsBytes()
	if m.arrears == nil {
		m.arrears = new(arrears)
	}
	a := m.arrears
	sorted := len(a.list) == 0 || a.list[len(a.list)-1].seq < list[0].seq
	a.list = append(a.list, list...)
	if !sorted {
		slices.SortFunc(a.list, func(x, y overdue) int { return cmp.Compare(x.seq, y.seq) })
	}
	for i := range list {
		a.count(&list[i], 1)
	}
	return m.arrearsBytes() - before
}

// payOff forgets the first n of the arrears and answers how many bytes those
// were.
func (m *Member) payOff(n int) (freed int) {
	before := m.arrearsBytes()
	a := m.arrears
	for i := range a.list[:n] {
		a.count(&a.list[i], -1)
	}
	freed = before - m.arrearsBytes()
	if a.list = dropFirst(a.list, n); len(a.list) == 0 {
		m.arrears = nil
	}
	return freed
}

// waive forgets the arrears that came from an address and that drop is true
// for, and answers how many bytes those were.
func (m *Member) waive(at Address, drop func(*overdue) bool) (freed int) {
	a := m.arrears
	if a == nil {
		return 0
	}
	before := m.arrearsBytes()
	a.list = slices.DeleteFunc(a.list, func(o overdue) bool {
		if o.log == nil || o.log.at() != at || !drop(&o) {
			return false
		}
		a.count(&o, -1)
		return true
	})
	freed = before - m.arrearsBytes()
	if len(a.list) == 0 {
		m.arrears = nil
	}
	return freed
}

// keep makes arrears of what a log still owes a member. Called with m.mu held.
func (m *Member) keep(s *sub) (added int) {
	if !s.behind() {
		return 0
	}
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	t, first := l.traffic, s.cursor.Load()
	size := 0
	spans := t.spans(m.Rendition)[first-t.base:]
	entries := t.entries[first-t.base:]
	for i := range entries {
		size += entries[i].spanFor(m, spans[i]).len()
	}
	// A copy: else a few frames would hold whole segments of the log.
	memory := &segment{memory: make([]byte, size)}
	var list []overdue
	for i := range entries {
		its := entries[i].spanFor(m, spans[i])
		if its.segment == nil {
			continue
		}
		start := memory.used
		memory.used += copy(memory.memory[start:], its.bytes())
		list = append(list, overdue{entries[i].seq, span{memory, start, memory.used}, l, entries[i].key})
	}
	return m.owe(list)
}

// Replay sends frames to one member behind all that it is owed, in their order
// and with nothing between them. Nobody may change them afterwards. They do not
// count for Options.MemberBytes; but ErrSlow is returned, and nothing is taken,
// if all that the member is owed would then be more than limit bytes. ErrGone:
// it has been removed.
func (h *Hub) Replay(m *Member, frames [][]byte, limit int) error {
	size := 0
	for _, f := range frames {
		size += len(f)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.gone:
		return ErrGone
	case m.condemned:
		return ErrSlow
	case len(frames) == 0:
		return nil
	case m.debt()+size > limit:
		return ErrSlow
	}
	list, segments := make([]overdue, len(frames)), make([]segment, len(frames))
	first := h.seq.Add(uint64(len(frames))) - uint64(len(frames)) + 1
	for i, f := range frames {
		segments[i].memory = f
		list[i] = overdue{seq: first + uint64(i), span: span{&segments[i], 0, len(f)}}
	}
	h.pinned.Add(int64(m.owe(list)))
	h.prompt(m)
	return nil
}

// debt answers how many bytes the member is owed in all.
func (m *Member) debt() int {
	n := m.backlog.size() + m.arrearsBytes()
	for _, s := range m.subs {
		if s.behind() {
			l := s.log
			l.mu.Lock()
			for _, span := range l.traffic.plain.spans[s.cursor.Load()-l.traffic.base:] {
				n += span.len()
			}
			l.mu.Unlock()
		}
	}
	return n
}
