package hub

import (
	"slices"
	"sync"
)

// track holds the frames of one rendition, as far as they have been made:
// spans[i] is that of entry base+i.
type track struct {
	spans []span
	tail  *segment // where there may be room for more
	size  int      // of the next segment, unless its first frame is larger
}

// span is a frame's place.
type span struct {
	segment    *segment
	start, end int
}

func (s span) bytes() []byte { return s.segment.memory[s.start:s.end:s.end] }

func (s span) len() int { return s.end - s.start }

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

// tails are segments with room that no log is using. A log that speaks now and
// then takes none: a member that is late there would hold it for one frame.
var tails sync.Pool

// tailMin is how large a segment must be to be used by another log.
const tailMin = 1 << 10

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

// dropFirst forgets the first n elements, and gives memory back now and then.
func dropFirst[T any](s []T, n int) []T {
	if n == len(s) && cap(s) <= trafficMax {
		clear(s)
		return s[:0]
	}
	if n >= len(s)/2 {
		return slices.Clone(s[n:])
	}
	clear(s[:n])
	return s[n:]
}
