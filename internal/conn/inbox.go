package conn

import "github.com/finch-go/finch/internal/frame"

// step is one thing for the executor to do.
type step struct {
	kind    stepKind
	op      frame.Opcode
	payload []byte
}

type stepKind uint8

const (
	stepOpened   stepKind = iota
	stepReceived          // a message
	stepEnd               // the peer closed, failed or vanished, after what it had sent
	stepDrain             // we close, after the handler that runs
	stepClosed            // the last
)

// inbox holds the steps that wait for the executor. Guarded by Conn.mu.
type inbox struct {
	steps []step
	head  int // steps[:head] are done
	bytes int // of the messages that wait
	count int // messages that wait
}

func (b *inbox) push(s step) {
	if s.kind == stepReceived {
		b.count++
		b.bytes += len(s.payload)
	}
	b.steps = append(b.steps, s)
}

// pushFirst puts a step before all others; nothing has been popped yet.
func (b *inbox) pushFirst(s step) { b.steps = append([]step{s}, b.steps...) }

func (b *inbox) pop() (step, bool) {
	if b.head == len(b.steps) {
		b.steps, b.head = nil, 0 // an idle connection keeps no memory for its inbox
		return step{}, false
	}
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
	return s, true
}

// dropMessages forgets the messages that wait and keeps everything else.
func (b *inbox) dropMessages() {
	if b.count == 0 {
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

// full and half say when reading stops and when it goes on.
func (b *inbox) full(c *Config) bool {
	return b.bytes >= c.InboxBytes || b.count >= c.InboxMessages
}

func (b *inbox) half(c *Config) bool {
	return b.bytes <= c.InboxBytes/2 && b.count <= c.InboxMessages/2
}
