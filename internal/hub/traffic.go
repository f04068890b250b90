package hub

import (
	"slices"
	"sync"
)

// traffic is what a log needs while it has entries that some member may still
// be owed; a quiet log has none. Entries are numbered from 0 in the whole life
// of a log; base is the number of the first that is kept. Guarded by log.mu.
type traffic struct {
	since   uint64 // the number of the first entry after the log was quiet
	base    uint64
	entries []entry
	plain   track
	other   map[Rendition]*track // those that some member has needed
	pinned  int                  // bytes of plain frames kept
	laid    int                  // bytes of plain frames that were copied since the log was quiet
	walked  uint64               // every member that is not late has had the entries before
	dirty   bool                 // there are entries to walk with
	walking bool
}

// entry is one message of a log.
type entry struct {
	seq     uint64 // its place among all that was sent on the node
	except  *Member
	instead []byte // what except gets, if anything
	late    *sub   // the first in line of those that are late and owed this next
	render  func(Rendition, []byte) []byte
	step    *Step
	key     string
}

// spanFor answers the span that a member gets, none if it gets nothing; whole is that
// of the others.
func (e *entry) spanFor(m *Member, whole span) span {
	switch {
	case e.except != m:
		return whole
	case e.instead == nil:
		return span{}
	}
	return alone(e.instead)
}

// in answers a rendition of the entry whose plain frame this is.
func (e *entry) in(r Rendition, plain []byte) []byte {
	if e.render != nil {
		if b := e.render(r, plain); b != nil {
			return b
		}
	}
	return plain
}

// traffics are those that no log needs, empty.
var traffics = sync.Pool{New: func() any { return new(traffic) }}

// trafficMax is how many entries a traffic may have had room for to be used
// again.
const trafficMax = 256

// newTraffic answers a traffic for a log whose next entry has this number, and
// which had busy bytes of frames last time before it was quiet.
func newTraffic(head uint64, busy int) *traffic {
	t := traffics.Get().(*traffic)
	t.since, t.base, t.walked = head, head, head
	if busy > 0 {
		t.plain.tail, _ = tails.Get().(*segment)
		t.plain.size = busy
	}
	return t
}

// free gives a traffic back that its log does not need any more.
func (t *traffic) free() {
	if tail := t.plain.tail; tail != nil && len(tail.memory) >= tailMin {
		tails.Put(tail)
	}
	clear(t.entries) // what lies behind was cleared when it was dropped
	clear(t.plain.spans)
	if cap(t.entries) > trafficMax {
		return
	}
	*t = traffic{entries: t.entries[:0], plain: track{spans: t.plain.spans[:0]}}
	traffics.Put(t)
}

// spans answers the spans of a rendition, made as far as they were not.
func (t *traffic) spans(r Rendition) []span {
	if r == 0 {
		return t.plain.spans
	}
	o := t.other[r]
	if o == nil {
		if t.other == nil {
			t.other = make(map[Rendition]*track, 1)
		}
		o = new(track)
		t.other[r] = o
	}
	missing := t.entries[len(o.spans):]
	frames, size := make([][]byte, len(missing)), 0
	for i := range missing {
		frames[i] = missing[i].in(r, t.plain.spans[len(o.spans)+i].bytes())
		size += len(frames[i])
	}
	if o.tail == nil {
		o.size = min(segmentMax, size)
	}
	for _, f := range frames {
		o.add(f)
	}
	return o.spans
}

// run answers the frames of entries [from, to) in as few pieces as they are.
func (t *traffic) run(r Rendition, from, to uint64) [][]byte {
	return joined(nil, t.spans(r)[from-t.base:to-t.base])
}

// excluded answers whom some entry of [from, to) leaves out.
func (t *traffic) excluded(from, to uint64) (list []*Member) {
	for i := range t.entries[from-t.base : to-t.base] {
		e := &t.entries[from-t.base+uint64(i)]
		if e.except != nil && !slices.Contains(list, e.except) {
			list = append(list, e.except)
		}
	}
	return list
}

// drop forgets the first n entries.
func (t *traffic) drop(n int) {
	t.entries = dropFirst(t.entries, n)
	t.plain.spans = dropFirst(t.plain.spans, n)
	for _, o := range t.other {
		o.spans = dropFirst(o.spans, min(n, len(o.spans))) // made or not
	}
	t.base += uint64(n)
}

// queue puts a sub in line at the entry that it is owed next.
func (t *traffic) queue(s *sub) {
	e := &t.entries[s.cursor.Load()-t.base]
	if s.next = e.late; s.next != nil {
		s.next.prev = s
	}
	e.late = s
}

// unqueue takes it out of there.
func (t *traffic) unqueue(s *sub) {
	if s.prev != nil {
		s.prev.next = s.next
	} else {
		t.entries[s.cursor.Load()-t.base].late = s.next
	}
	if s.next != nil {
		s.next.prev = s.prev
	}
	s.prev, s.next = nil, nil
}
