package hub

import (
	"cmp"
	"slices"
	"sync"
)

// Sink takes what a member is owed. Its methods must not block and must not
// call the hub, except that Overflow may.
type Sink interface {
	// Push hands over frames, in pieces that nobody may change: other sinks
	// get the same bytes. False: nothing was taken, because the sink still
	// has to do with what it took before; it then has to call
	// [Hub.Writable] once that is done.
	Push(pieces [][]byte) bool

	// Overflow tells that the member is so far behind that it must go. It is
	// called once, with no lock held.
	Overflow()
}

// Member is one sink that is here. Its exported fields do not change once it
// is added.
type Member struct {
	ID        string
	User      string // empty: nobody in particular
	Sink      Sink
	Rendition Rendition

	mu        sync.Mutex // guards everything below; taken before a log's
	subs      []*sub
	backlog   []direct
	owed      int  // bytes of backlog
	queued    bool // the pump knows that there is a backlog
	blocked   bool // the sink refused, and has not yet called Writable
	condemned bool // Overflow is called or about to be
	gone      bool
}

// direct is a message to one member alone.
type direct struct {
	seq   uint64
	frame []byte
}

// due is one frame of a flush, with where it came from.
type due struct {
	seq    uint64
	source *sub // nil: the backlog
	next   uint64
	span   span
}

// batchBytes and batchEntries bound one Push.
const (
	batchBytes   = 256 << 10
	batchEntries = 1024
)

// pendingElsewhere tells whether the member is owed anything besides what s
// has for it.
func (m *Member) pendingElsewhere(s *sub) bool {
	if len(m.backlog) > 0 {
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

func (s *sub) behind() bool { return s.cursor.Load() != s.log.head.Load() }

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
	for i, d := range m.backlog {
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
		size += d.span.end - d.span.start
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
	spans := l.spans(s.member.Rendition)
	from := s.cursor.Load()
	for i := from - l.base; i < uint64(len(l.entries)); i++ {
		e := &l.entries[i]
		if e.seq > limit {
			break
		}
		if l.base+i-from == batchEntries {
			return batch, e.seq - 1, true
		}
		d := due{seq: e.seq, source: s, next: l.base + i + 1, span: spans[i]}
		if e.except == s.member {
			d.span = span{}
		}
		batch = append(batch, d)
	}
	return batch, limit, false
}

// pieces answers the bytes of a batch, neighbours in one piece.
func pieces(batch []due) [][]byte {
	spans := make([]span, 0, len(batch))
	for _, d := range batch {
		if d.span.segment != nil {
			spans = append(spans, d.span)
		}
	}
	return joined(nil, spans)
}

// settle moves the cursors behind a batch and answers how many bytes left the
// backlog.
func (m *Member) settle(batch []due) (freed int) {
	done := 0
	for _, d := range batch {
		if d.source != nil {
			d.source.cursor.Store(d.next)
			continue
		}
		done = int(d.next)
	}
	for _, d := range m.backlog[:done] {
		freed += len(d.frame)
	}
	m.owed -= freed
	if m.backlog = dropFirst(m.backlog, done); len(m.backlog) == 0 {
		m.backlog = nil
	}
	return freed
}
