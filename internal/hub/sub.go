package hub

import "sync/atomic"

// sub is one member's place in one log. An address that nobody speaks at costs
// one of these for each member: it is small on purpose.
type sub struct {
	member *Member
	log    *log

	// cursor is the number of the next entry that it is owed. Written with
	// member.mu held, and log.mu too while it is late.
	cursor atomic.Uint64

	// Written with member.mu and log.mu held, read with either.
	policy Policy
	state  state

	// Guarded by log.mu.
	place      uint32 // in log.subs
	prev, next *sub   // those that are late at the same entry
}

// state is how a sub gets what it is owed.
type state uint8

const (
	// current: by the walks along its log.
	current state = iota
	// late: its sink refused something, so that walks pass it by until it has
	// caught up. It stands in line at the entry that it is owed next.
	late
	// off: not at all, until it is resumed.
	off
	// out: not at all; it has left.
	out
)

// behind tells whether the log owes it anything. Called with member.mu held.
func (s *sub) behind() bool {
	return s.state <= late && s.cursor.Load() != s.log.head.Load()
}
