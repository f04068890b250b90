package conn

import "sync"

// outbox holds the frames that wait to be written, in order. Guarded by
// Conn.mu. A connection that has nothing to write has none.
type outbox struct {
	frames [][]byte
	head   int  // frames[:head] are done
	done   int  // bytes of frames[head] that are written
	taken  int  // frames[head:taken] are in the flusher's hands
	answer bool // frames[0] is the answer to the handshake
}

// Boxes come and go with every burst, so they are kept for the next; one that
// has grown beyond this is not.
const keepFrames = 256

var outboxes = sync.Pool{New: func() any { return &outbox{frames: make([][]byte, 0, 4)} }}

// put appends a frame, to a new box if there is none.
func (b *outbox) put(frame []byte) *outbox {
	if b == nil {
		b = outboxes.Get().(*outbox)
	}
	b.frames = append(b.frames, frame)
	return b
}

// empty answers whether nothing is left to write.
func (b *outbox) empty() bool { return b == nil || b.head == len(b.frames) }

// take gives the flusher up to max frames of up to size bytes, at least one,
// appended to into; the first may have been written in part.
func (b *outbox) take(into [][]byte, size int) [][]byte {
	first := b.frames[b.head][b.done:]
	into = append(into, first)
	size -= len(first)
	b.taken = b.head + 1
	for b.taken < len(b.frames) && len(into) < cap(into) {
		next := b.frames[b.taken]
		if size -= len(next); size < 0 {
			break
		}
		into = append(into, next)
		b.taken++
	}
	return into
}

// wrote says that n bytes of what was taken are written; the rest can be taken
// again.
func (b *outbox) wrote(n int) {
	for b.head < b.taken {
		left := len(b.frames[b.head]) - b.done
		if n < left {
			b.done += n
			break
		}
		n -= left
		b.frames[b.head] = nil
		b.head++
		b.done, b.answer = 0, false
	}
	b.taken = b.head
	// A queue that never empties must not keep room for all it ever held.
	if b.head >= 64 && b.head*2 >= len(b.frames) {
		kept := copy(b.frames, b.frames[b.head:])
		clear(b.frames[kept:])
		b.frames, b.head, b.taken = b.frames[:kept], 0, 0
	}
}

// drop forgets the frames that are neither begun nor in the flusher's hands,
// and answers how many and how many bytes they were: a frame that is begun has
// to be finished, and the answer to the handshake given, or nothing after it is
// understood.
func (b *outbox) drop() (count, bytes int) {
	if b == nil {
		return 0, 0
	}
	from := max(b.taken, b.head)
	if b.done > 0 || b.answer {
		from = max(from, b.head+1)
	}
	for _, f := range b.frames[from:] {
		bytes += len(f)
	}
	count = len(b.frames) - from
	clear(b.frames[from:])
	b.frames = b.frames[:from]
	return count, bytes
}

// free gives an empty box back.
func (b *outbox) free() {
	clear(b.frames)
	if cap(b.frames) > keepFrames {
		return
	}
	*b = outbox{frames: b.frames[:0]}
	outboxes.Put(b)
}
