package hub

import (
	"cmp"
	"slices"
	"sync"
)

// Member is one sink that is here. Its exported fields do not change once it
// is added.
type Member struct {
	ID        string
	User      string // empty: nobody in particular
	Sink      Sink
	Rendition Rendition

	mu        sync.Mutex // guards everything below; taken before a log's
	queued    bool       // the pump knows that it is owed something
	blocked   bool       // the sink refused, and has not yet called Writable
	condemned bool       // Overflow is called or about to be
	gone      bool
	subs      []*sub
	backlog   *backlog // nil: there is none
	arrears   *arrears // nil: there are none
}

// due is one frame of a flush, with where it came from.
type due struct {
	seq    uint64
	source *sub // nil: the arrears or the backlog
	next   uint64
	span   span
	old    bool // the arrears
}

// batchBytes and batchEntries bound one Push.
const (
	batchBytes   = 256 << 10
	batchEntries = 1024
)

// waiting answers how many bytes count for Options.MemberBytes.
func (m *Member) waiting() int {
	if m.arrears != nil {
		return m.backlog.size() + m.arrears.kept
	}
	return m.backlog.size()
}

// pendingElsewhere tells whether the member is owed anything besides what s
// has for it.
func (m *Member) pendingElsewhere(s *sub) bool {
	if m.backlog != nil || m.arrears != nil {
		return true
	}
	for _, o := range m.subs {
		if o != s && o.behind() {
			return true
		}
	}
	return false
}

// pendingInLogs tells whether any log owes the member something.
func (m *Member) pendingInLogs() bool { return slices.ContainsFunc(m.subs, (*sub).behind) }

// late tells whether any log passes the member by.
func (m *Member) late() bool {
	return slices.ContainsFunc(m.subs, func(s *sub) bool { return s.state == late })
}

// sub answers the member's place at an address, or nil.
func (m *Member) sub(at Address) *sub {
	for _, s := range m.subs {
		if s.log.kind == at.Kind && s.log.name == at.Name {
			return s
		}
	}
	return nil
}

// collect answers what the member is owed of all that was sent up to limit, in
// order, within the bounds of one batch; more tells that there is more. Called
// with mu held.
func (m *Member) collect(limit uint64) (batch []due, more bool) {
	for _, s := range m.subs {
		if !s.behind() {
			continue
		}
		var cut bool
		if batch, limit, cut = s.collect(batch, limit); cut {
			more = true
		}
	}
	if m.arrears != nil {
		for i, o := range m.arrears.list {
			if i == batchEntries {
				limit, more = min(limit, o.seq-1), true
				break
			}
			if o.seq > limit {
				break
			}
			batch = append(batch, due{seq: o.seq, next: uint64(i + 1), span: o.span, old: true})
		}
	}
	for i, d := range m.backlog.owed() {
		if i == batchEntries {
			limit, more = min(limit, d.seq-1), true
			break
		}
		if d.seq > limit {
			break
		}
		batch = append(batch, due{seq: d.seq, next: uint64(i + 1), span: alone(d.frame)})
	}
	slices.SortFunc(batch, func(a, b due) int { return cmp.Compare(a.seq, b.seq) })
	size := 0
	for i, d := range batch {
		size += d.span.len()
		if d.seq > limit || size > batchBytes && i > 0 {
			return batch[:i], true
		}
	}
	return batch, more
}

// collect adds what s's log has for its member. If the log has more than a
// batch takes, limit falls back to what was read, so that other sources do not
// overtake it.
func (s *sub) collect(batch []due, limit uint64) ([]due, uint64, bool) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.traffic
	spans := t.spans(s.member.Rendition)
	from := s.cursor.Load()
	batch = slices.Grow(batch, min(batchEntries, len(t.entries)-int(from-t.base)))
	for i := from - t.base; i < uint64(len(t.entries)); i++ {
		e := &t.entries[i]
		if e.seq > limit {
			break
		}
		if t.base+i-from == batchEntries {
			return batch, e.seq - 1, true
		}
		batch = append(batch, due{seq: e.seq, source: s, next: t.base + i + 1, span: e.spanFor(s.member, spans[i])})
	}
	return batch, limit, false
}

// pieces answers the bytes of a batch, neighbours in one piece, and how many
// frames those are.
func pieces(batch []due) (pieces [][]byte, frames int) {
	spans := make([]span, 0, len(batch))
	for _, d := range batch {
		if d.span.segment != nil {
			spans = append(spans, d.span)
		}
	}
	return joined(nil, spans), len(spans)
}

// settle moves the member's cursors behind a batch, and forgets what it alone
// was owed of it. Called with m.mu held.
func (h *Hub) settle(m *Member, batch []due) {
	freed, done, old := 0, 0, 0
	for _, d := range slices.Backward(batch) { // so that each cursor moves once
		switch {
		case d.source != nil:
			if d.next > d.source.cursor.Load() {
				freed += d.source.advance(d.next)
			}
		case d.old:
			old = max(old, int(d.next))
		default:
			done = max(done, int(d.next))
		}
	}
	left, paid := m.backlog.drop(done)
	m.backlog, freed = left, freed+paid
	if old > 0 {
		freed += m.payOff(old)
	}
	h.pinned.Add(int64(-freed))
}

// advance moves a cursor, and answers how many bytes nobody is owed any more.
func (s *sub) advance(to uint64) (freed int) {
	if s.state != late {
		s.cursor.Store(to) // the walk under way or the next one trims
		return 0
	}
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return s.log.advance(s, to)
}
