package bench

// Faults are what a server did wrong with messages.
type Faults struct {
	Lost       uint64 `json:"lost"`       // never came
	Duplicated uint64 `json:"duplicated"` // came again
	Reordered  uint64 `json:"reordered"`  // came after a later one of the same sender
	Corrupt    uint64 `json:"corrupt"`    // came with other bytes behind the stamp
	Unexpected uint64 `json:"unexpected"` // bore no stamp, and nothing says that it should come
}

// Sum is the number of all faults.
func (f Faults) Sum() uint64 {
	return f.Lost + f.Duplicated + f.Reordered + f.Corrupt + f.Unexpected
}

// A book says what one socket has had of one sender, who counts from 0. It costs
// a number as long as all come in order.
type book struct {
	next uint32 // everything below has come, but for what is missing
	// missing holds what was passed over, in order. Only a late message makes it
	// shorter.
	missing []span
}

// A span is the numbers from first up to but without end.
type span struct{ first, end uint32 }

// verdict is what a number means to the book.
type verdict int

const (
	inOrder verdict = iota
	tooLate         // passed over before: reordered
	again           // had before: duplicated
)

// take enters a number.
func (b *book) take(seq uint32) verdict {
	switch {
	case seq == b.next:
		b.next++
		return inOrder
	case seq > b.next:
		b.missing = append(b.missing, span{b.next, seq})
		b.next = seq + 1
		return inOrder
	}
	for i, m := range b.missing {
		if seq < m.first || seq >= m.end {
			continue
		}
		switch {
		case m.first == seq && m.end == seq+1:
			b.missing = append(b.missing[:i], b.missing[i+1:]...)
		case m.first == seq:
			b.missing[i].first++
		case m.end == seq+1:
			b.missing[i].end--
		default:
			b.missing = append(b.missing, span{})
			copy(b.missing[i+1:], b.missing[i:])
			b.missing[i].end, b.missing[i+1].first = seq, seq+1
		}
		return tooLate
	}
	return again
}

// has reports whether the number has come.
func (b *book) has(seq uint32) bool {
	if seq >= b.next {
		return false
	}
	for _, m := range b.missing {
		if m.first <= seq && seq < m.end {
			return false
		}
	}
	return true
}

// lost counts what has not come of the first sent numbers.
func (b *book) lost(sent uint32) (n uint64) {
	for _, m := range b.missing {
		n += uint64(m.end - m.first)
	}
	if sent > b.next {
		n += uint64(sent - b.next)
	}
	return n
}
