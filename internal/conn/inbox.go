package conn

import (
	"sync"

	"github.com/finch-go/finch/internal/frame"
)

// step is one thing for the executor to do.
type step struct {
	kind       stepKind
	op         frame.Opcode
	compressed bool
	payload    []byte
}

type stepKind uint8

const (
	stepOpened   stepKind = iota
	stepReceived          // a message
	stepEnd               // the peer closed, failed or vanished, after what it had sent
	stepDrain             // we close, after the handler that runs
	stepClosed            // the last
)

// inbox holds the steps that wait for the executor. Guarded by Conn.mu. A
// connection with nothing to do has none: a nil inbox is empty.
type inbox struct {
	steps []step
	head  int // steps[:head] are done
	bytes int // of the messages that wait
	count int // messages that wait
}

// Boxes come and go with every burst, so they are kept for the next; one that
// has grown beyond this is not.
const keepSteps = 64

var inboxes = sync.Pool{New: func() any { return &inbox{steps: make([]step, 0, 4)} }}

// push appends a step, to a new box if there is none.
func (b *inbox) push(s step) *inbox {
	if b == nil {
		b = inboxes.Get().(*inbox)
	}
	if s.kind == stepReceived {
		b.count++
		b.bytes += len(s.payload)
	}
	b.steps = append(b.steps, s)
	return b
}

// pushFirst puts a step before all others; nothing has been popped yet.
func (b *inbox) pushFirst(s step) *inbox {
	if b == nil {
		return b.push(s)
	}
	b.steps = append([]step{s}, b.steps...)
	return b
}

func (b *inbox) empty() bool { return b == nil || b.head == len(b.steps) }

// pop takes the first of the steps; the box must not be empty.
func (b *inbox) pop() step {
	s := b.steps[b.head]
	b.steps[b.head] = step{}
	b.head++
	if b.head == len(b.steps) {
		b.steps, b.head = b.steps[:0], 0
	} else if b.head >= 64 && b.head*2 >= len(b.steps) {
		n := copy(b.steps, b.steps[b.head:])
		clear(b.steps[n:])
		b.steps, b.head = b.steps[:n], 0
	}
	if s.kind == stepReceived {
		b.count--
		b.bytes -= len(s.payload)
	}
	return s
}

// dropMessages forgets the messages that wait and keeps everything else.
func (b *inbox) dropMessages() {
	if b == nil || b.count == 0 {
		return
	}
	kept := b.steps[:0]
	for _, s := range b.steps[b.head:] {
		if s.kind != stepReceived {
			kept = append(kept, s)
		}
	}
	clear(b.steps[len(kept):])
	b.steps, b.head, b.bytes, b.count = kept, 0, 0, 0
}

// free gives an empty box back.
func (b *inbox) free() {
	if cap(b.steps) > keepSteps {
		return
	}
	*b = inbox{steps: b.steps[:0]}
	inboxes.Put(b)
}

// full and half say when reading stops and when it goes on.
func (b *inbox) full(c *Config) bool {
	return b != nil && (b.bytes >= c.InboxBytes || b.count >= c.InboxMessages)
}

func (b *inbox) half(c *Config) bool {
	return b == nil || b.bytes <= c.InboxBytes/2 && b.count <= c.InboxMessages/2
}
