package nats

import (
	"strconv"
	"strings"

	"github.com/finch-go/finch/broker"
)

// A mark says how far Heads has looked into each stream. It is good for the life
// of the node that made it, and until something makes the store doubtful.
type mark struct {
	life   string // of the node
	doubts uint64
	note   uint64   // sequence up to which purges were known
	upTo   []uint64 // by the index of the stream; 0: not looked at
}

func (m *mark) text() broker.Mark {
	b := append([]byte(m.life), '.')
	b = strconv.AppendUint(b, m.doubts, 36)
	b = append(b, '.')
	b = strconv.AppendUint(b, m.note, 36)
	for _, n := range m.upTo {
		b = append(b, '.')
		b = strconv.AppendUint(b, n, 36)
	}
	return broker.Mark(b)
}

// parseMark reads a mark, and returns nil if it cannot be honoured.
func (b *Broker) parseMark(text broker.Mark) *mark {
	m := readMark(text, len(b.fleet.Load().streams))
	if m == nil || m.life != b.life36 || m.doubts != b.doubts.Load() {
		return nil
	}
	return m
}

func readMark(text broker.Mark, streams int) *mark {
	if len(text) > 64+14*(streams+2) {
		return nil
	}
	parts := strings.Split(string(text), ".")
	if len(parts) != streams+3 {
		return nil
	}
	m := &mark{life: parts[0], upTo: make([]uint64, streams)}
	for i, part := range parts[1:] {
		n, err := strconv.ParseUint(part, 36, 64)
		switch {
		case err != nil:
			return nil
		case i == 0:
			m.doubts = n
		case i == 1:
			m.note = n
		default:
			m.upTo[i-2] = n
		}
	}
	return m
}

// streams are the sequences to look from; nil is for everything.
func (m *mark) streams() []uint64 {
	if m == nil {
		return nil
	}
	return m.upTo
}
