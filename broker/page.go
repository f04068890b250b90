package broker

import (
	"fmt"
	"time"
)

// A Head is where a room stands: the position of its last message, which stays
// known for longer than the message itself. In a room that has had no message
// the position is empty (tag 0) and its offset is below that of any message to
// come.
type Head struct {
	Room     string
	Position Position
	// At is when its message was recorded, by the store's clock; zero if there is
	// none or the broker does not know.
	At time.Time
	// Since, of an empty position whose offset the store counts on: nothing was
	// recorded after this offset either, so that a reader has missed nothing who
	// found the room empty there or later. 0: the broker cannot tell.
	Since uint64
}

// A Mark is a broker's own note of how far Heads has looked. It is opaque; the
// zero Mark is from the beginning.
type Mark string

// A Range says what to read of a room. The zero Range is all that is kept.
type Range struct {
	// From is where to begin, inclusive: when the message at From.Offset is still
	// kept it is the first of the page, because it proves what follows. The zero
	// Position begins with the oldest message kept.
	From Position
	// Until is an offset that the caller knows to exist, 0 if none: a page that
	// ends earlier without reason (Limit, Before) is stale, and is read again
	// inside or not returned.
	Until uint64
	// Enough: what was recorded after Until is not asked for. The page may lack it,
	// and be of the time at which Until was the head of the room.
	Enough bool
	// Before ends the page: only messages with smaller offsets; 0 for no end.
	Before uint64
	// Limit is the most messages to return; 0 or less means the broker's own limit.
	Limit int
	// Newest keeps the newest messages of the range, not the oldest, when Limit
	// cuts. The order stays oldest first.
	Newest bool
}

// A Page is what Read found: messages in their order, oldest first.
type Page struct {
	Messages []Message
	// Head of the room when the page was read.
	Head Position
	// More: the limit left out messages of the range.
	More bool
	// Whole: the broker proves that nothing after From.Offset in this epoch has
	// been trimmed: neither by size nor by age. It may be false out of ignorance.
	Whole bool
	// Spare: the room keeps fewer messages than its profile's size, so that
	// whatever is missing left by age. It may be false out of ignorance.
	Spare bool
	// Kept is the age at which messages of the room leave; 0 if age removes none
	// or the room has no history.
	Kept time.Duration
}

// Follow returns those messages of the page that come after from, which must be
// the From of its Range (read without Before and Newest). It returns them only
// if the page proves that none is missing between from and the first of them,
// nor in between. Otherwise:
//
//   - ErrForked is returned if from is of another epoch than the room, or
//     another message stands at its offset.
//   - ErrTrimmed is returned if from's message is gone and nothing else links
//     the page to it.
//   - ErrStale is returned if the page does not reach until (an offset known to
//     exist) although it was not cut by its limit, or if its chain is broken.
//
// Proof is one of: from's message itself, with its tag; the first message's
// PrevTag; the head, when nothing followed; and, when from is of a room that was
// empty, Page.Whole. A message that merely has a larger offset proves nothing.
func (p Page) Follow(from Position, until uint64) ([]Message, error) {
	if p.Head.Epoch != from.Epoch {
		return nil, fmt.Errorf("%w: the room's epoch is %q", ErrForked, p.Head.Epoch)
	}
	rest := p.Messages
	switch {
	case len(rest) > 0 && rest[0].Position.Offset == from.Offset:
		if rest[0].Position != from {
			return nil, fmt.Errorf("%w: another message stands at offset %d", ErrForked, from.Offset)
		}
		rest = rest[1:]
	case p.Head == from:
		return nil, nil
	case p.Head.Offset == from.Offset:
		return nil, fmt.Errorf("%w: another message stands at offset %d", ErrForked, from.Offset)
	case len(rest) == 0 && from.Tag == 0 && p.Head.Tag == 0 && p.Whole && p.Head.Offset >= until:
		return nil, nil // still empty, though the store has counted on
	case len(rest) == 0:
		if p.Head.Offset < until || p.Head.Offset < from.Offset {
			return nil, ErrStale
		}
		return nil, ErrTrimmed
	case from.Tag == 0:
		if !p.Whole {
			return nil, ErrTrimmed
		}
	case rest[0].Prev == from.Offset && rest[0].PrevTag != 0:
		if rest[0].PrevTag != from.Tag {
			return nil, fmt.Errorf("%w: another message stood at offset %d", ErrForked, from.Offset)
		}
	default:
		return nil, ErrTrimmed
	}
	return p.chain(rest, from, until)
}

// FollowUnproven is Follow for a caller who has proof of its own that nothing
// was missing right after from: it checks the chain of what comes after
// from.Offset, and that the page reaches until, but not the link to from.
func (p Page) FollowUnproven(from Position, until uint64) ([]Message, error) {
	rest := p.Messages
	if len(rest) > 0 && rest[0].Position.Offset == from.Offset {
		rest = rest[1:]
	}
	return p.chain(rest, from, until)
}

// chain checks that messages follow each other after from, and reach until.
func (p Page) chain(messages []Message, from Position, until uint64) ([]Message, error) {
	last := from.Offset
	for i, m := range messages {
		if m.Position.Epoch != from.Epoch {
			return nil, fmt.Errorf("%w: the page changes its epoch", ErrForked)
		}
		if m.Position.Offset <= last || m.Position.Tag == 0 {
			return nil, fmt.Errorf("%w: offset %d does not rise, or has no tag", ErrStale, m.Position.Offset)
		}
		if i > 0 && !m.follows(messages[i-1].Position) {
			return nil, fmt.Errorf("%w: a message is missing before offset %d", ErrStale, m.Position.Offset)
		}
		last = m.Position.Offset
	}
	if last < until && !p.More {
		return nil, fmt.Errorf("%w: ends at offset %d, which is before %d", ErrStale, last, until)
	}
	return messages, nil
}

func (m *Message) follows(before Position) bool {
	return m.Prev == before.Offset && (m.PrevTag == 0 || m.PrevTag == before.Tag)
}

// Follows reports whether m comes directly after before, as far as m itself can
// tell: the same epoch, Prev is before's offset, and PrevTag, if known, its tag.
// The first message of all follows the empty position with offset 0, or that whose
// offset its Prev is, and no other: a Read has to tell.
func (m *Message) Follows(before Position) bool {
	return m.Position.Epoch == before.Epoch && m.Position.Offset > before.Offset &&
		(m.Prev != 0 || before.Offset == 0) && m.follows(before)
}
