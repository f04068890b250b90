package hub

import "sync"

// backlog is what was sent to one member alone and has not been pushed, in order.
// Guarded by the member's mu. Most members have none most of the time: nil is empty.
type backlog struct {
	list  []direct
	bytes int
}

// direct is a message to one member alone.
type direct struct {
	seq   uint64
	frame []byte
}

// Backlogs come and go with every burst, so they are kept for the next; one that has
// grown beyond this is not.
const keepBacklog = 64

var backlogs = sync.Pool{New: func() any { return &backlog{list: make([]direct, 0, 4)} }}

// add appends a message, to a new backlog if there is none.
func (b *backlog) add(d direct) *backlog {
	if b == nil {
		b = backlogs.Get().(*backlog)
	}
	b.list = append(b.list, d)
	b.bytes += len(d.frame)
	return b
}

// owed answers the messages.
func (b *backlog) owed() []direct {
	if b == nil {
		return nil
	}
	return b.list
}

// size answers how many bytes they are.
func (b *backlog) size() int {
	if b == nil {
		return 0
	}
	return b.bytes
}

// frames appends the frames of all messages to pieces.
func (b *backlog) frames(pieces [][]byte) [][]byte {
	for _, d := range b.list {
		pieces = append(pieces, d.frame)
	}
	return pieces
}

// drop forgets the first n messages and answers what is left, and how many bytes they
// were.
func (b *backlog) drop(n int) (left *backlog, freed int) {
	if n == 0 {
		return b, 0
	}
	for _, d := range b.list[:n] {
		freed += len(d.frame)
	}
	if n < len(b.list) {
		b.list = dropFirst(b.list, n)
		b.bytes -= freed
		return b, freed
	}
	clear(b.list)
	if cap(b.list) <= keepBacklog {
		*b = backlog{list: b.list[:0]}
		backlogs.Put(b)
	}
	return nil, freed
}
