package hub

import (
	"slices"
	"sync"
	"sync/atomic"
)

// log is an address that has members: the entries that some of them may still
// be owed. Entries are numbered from 0; base is the number of the first that
// is kept.
type log struct {
	at Address

	// head is the number of the next entry. Written with mu held.
	head atomic.Uint64

	mu      sync.Mutex // guards everything below
	base    uint64
	entries []entry
	plain   track
	other   map[Rendition]*track // those that some member has needed
	pinned  int                  // bytes of plain frames kept
	subs    []*sub
	lagging []*sub // some that were behind when last seen
	walked  uint64 // every member that is not lagging has had the entries before
	dirty   bool   // there are entries to walk with
	walking bool
}

// entry is one message of a log.
type entry struct {
	seq     uint64 // its place among all that was sent on the node
	except  *Member
	message Message // Frame lies in the plain track
}

// sub is one member's place in one log.
type sub struct {
	member *Member
	log    *log
	cursor atomic.Uint64 // number of the next entry it is owed; written with member.mu held

	// Guarded by log.mu.
	place   int  // in log.subs
	lagging bool // in log.lagging
}

// track holds the frames of one rendition, as far as they have been made:
// spans[i] is that of entry base+i.
type track struct {
	spans []span
	tail  *segment // where there may be room for more; nil in a quiet log
	size  int      // of the next segment: 0 is as large as its first frame
}

// span is a frame's place.
type span struct {
	segment    *segment
	start, end int
}

func (s span) bytes() []byte { return s.segment.memory[s.start:s.end:s.end] }

// segment is memory that frames are laid into one behind the other, so that a
// run of them is one piece. What is laid into it never changes, and it lives
// as long as somebody refers to a part of it.
type segment struct {
	memory []byte // this header never changes, so that spans can be read without a lock
	used   int    // guarded by log.mu
}

const (
	// segmentMax is the size of a segment of a busy log.
	segmentMax = 64 << 10
	// copyMax is the largest frame worth copying for the sake of one piece.
	copyMax = 8 << 10
)

// add lays a frame behind the others.
func (t *track) add(frame []byte) {
	if len(frame) > copyMax {
		t.spans = append(t.spans, alone(frame))
		t.tail = nil
		return
	}
	if t.tail == nil || len(t.tail.memory)-t.tail.used < len(frame) {
		if t.tail != nil {
			t.size = min(segmentMax, 4*len(t.tail.memory))
		}
		t.tail = &segment{memory: make([]byte, max(t.size, len(frame)))}
	}
	start := t.tail.used
	t.tail.used += copy(t.tail.memory[start:], frame)
	t.spans = append(t.spans, span{t.tail, start, t.tail.used})
}

// alone answers the span of a frame that stays where it is.
func alone(frame []byte) span { return span{&segment{memory: frame}, 0, len(frame)} }

// drop forgets the first n spans.
func (t *track) drop(n int) {
	quiet := n == 1 && len(t.spans) == 1
	t.spans = dropFirst(t.spans, n)
	if quiet { // a log that speaks now and then holds nothing between
		t.spans, t.tail, t.size = nil, nil, 0
	}
}

// dropFirst forgets the first n elements, and gives memory back now and then.
func dropFirst[T any](s []T, n int) []T {
	if n == len(s) && cap(s) <= 64 {
		clear(s)
		return s[:0]
	}
	if n >= len(s)/2 {
		return slices.Clone(s[n:])
	}
	clear(s[:n])
	return s[n:]
}

// append adds an entry.
func (l *log) append(seq uint64, m Message, except *Member) {
	l.plain.add(m.Frame)
	m.Frame = l.plain.spans[len(l.plain.spans)-1].bytes()
	l.entries = append(l.entries, entry{seq, except, m})
	l.pinned += len(m.Frame)
	l.head.Store(l.base + uint64(len(l.entries)))
}

// spans answers the spans of a rendition, made as far as they were not.
func (l *log) spans(r Rendition) []span {
	if r == 0 {
		return l.plain.spans
	}
	t := l.other[r]
	if t == nil {
		if l.other == nil {
			l.other = make(map[Rendition]*track, 1)
		}
		t = new(track)
		l.other[r] = t
	}
	for i := len(t.spans); i < len(l.entries); i++ {
		t.add(l.entries[i].message.in(r))
	}
	return t.spans
}

// run answers the frames of entries [from, to) in as few pieces as they are.
func (l *log) run(r Rendition, from, to uint64) [][]byte {
	return joined(nil, l.spans(r)[from-l.base:to-l.base])
}

// joined appends the bytes of spans to pieces; neighbours become one piece.
func joined(pieces [][]byte, spans []span) [][]byte {
	for i := 0; i < len(spans); {
		piece := spans[i]
		for i++; i < len(spans) && spans[i].segment == piece.segment && spans[i].start == piece.end; i++ {
			piece.end = spans[i].end
		}
		pieces = append(pieces, piece.bytes())
	}
	return pieces
}

// excluded answers whom some entry of [from, to) leaves out.
func (l *log) excluded(from, to uint64) (list []*Member) {
	for _, e := range l.entries[from-l.base : to-l.base] {
		if e.except != nil && !slices.Contains(list, e.except) {
			list = append(list, e.except)
		}
	}
	return list
}

// trim forgets the entries that nobody is owed any more and answers how many
// bytes that were. Every member that is not among the lagging has had those
// before walked.
func (l *log) trim() int {
	keep := l.walked
	l.lagging = slices.DeleteFunc(l.lagging, func(s *sub) bool {
		c := s.cursor.Load()
		keep = min(keep, c)
		s.lagging = c < l.head.Load() // a walk under way may not have counted it yet
		return !s.lagging
	})
	n := int(keep - l.base)
	if n <= 0 {
		return 0
	}
	freed := 0
	for _, s := range l.plain.spans[:n] {
		freed += s.end - s.start
	}
	if l.entries = dropFirst(l.entries, n); n == 1 && len(l.entries) == 0 {
		l.entries = nil
	}
	l.plain.drop(n)
	for _, t := range l.other {
		t.drop(min(n, len(t.spans))) // made or not
	}
	l.base = keep
	l.pinned -= freed
	return freed
}

// lag remembers that s is behind.
func (l *log) lag(s *sub) {
	if !s.lagging {
		s.lagging = true
		l.lagging = append(l.lagging, s)
	}
}

// furthestBehind answers the lagging members that pin the oldest entry.
func (l *log) furthestBehind() (list []*Member) {
	for _, s := range l.lagging {
		if s.cursor.Load() == l.base {
			list = append(list, s.member)
		}
	}
	return list
}

func (l *log) enter(s *sub) {
	s.place = len(l.subs)
	l.subs = append(l.subs, s)
	s.cursor.Store(l.head.Load())
}

func (l *log) exit(s *sub) {
	last := len(l.subs) - 1
	moved := l.subs[last]
	l.subs[s.place], moved.place = moved, s.place
	l.subs[last] = nil
	l.subs = l.subs[:last]
	if s.lagging {
		i := slices.Index(l.lagging, s)
		l.lagging = slices.Delete(l.lagging, i, i+1)
	}
}
