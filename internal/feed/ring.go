package feed

import (
	"slices"

	"github.com/finch-go/finch/broker"
)

// A ring is the room's recent messages on this node, oldest first, without gaps.
type ring struct {
	base     broker.Position // right before the oldest
	since    uint64          // of a base where no message stands: from where on there was none, 0 if unknown
	messages []broker.Message
	first    int // messages before it are dropped
	bytes    int
}

func (r *ring) kept() []broker.Message {
	if r == nil {
		return nil
	}
	return r.messages[r.first:]
}

func (r *ring) push(m broker.Message, limits *Limits) {
	if r.first > 0 && len(r.messages) == cap(r.messages) && r.first >= len(r.messages)/2 {
		n := copy(r.messages, r.messages[r.first:])
		clear(r.messages[n:])
		r.messages, r.first = r.messages[:n], 0
	}
	r.messages = append(r.messages, m)
	r.bytes += len(m.Data)
	for len(r.kept()) > max(limits.Ring, 0) || r.bytes > limits.RingBytes {
		r.drop()
	}
}

func (r *ring) drop() {
	m := &r.messages[r.first]
	r.base = m.Position
	r.bytes -= len(m.Data)
	*m = broker.Message{}
	r.first++
	if r.first == len(r.messages) {
		r.messages, r.first = nil, 0
	}
}

// index finds the message at an offset.
func (r *ring) index(offset uint64) (int, bool) {
	return slices.BinarySearchFunc(r.kept(), offset, func(m broker.Message, offset uint64) int {
		switch {
		case m.Position.Offset < offset:
			return -1
		case m.Position.Offset > offset:
			return 1
		}
		return 0
	})
}
