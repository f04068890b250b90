package feed

import (
	"time"

	"github.com/finch-go/finch/broker"
)

// A Room is what a Feed works for: the members of one room on this node. A Feed
// calls it from inside its own methods, in the order in which things happen, so
// a Room must not block and must not call the Feed.
//
// M names a member: whatever the driver likes, such as a pointer.
type Room[M comparable] interface {
	// Emit brings the room's next message, for all members that are attached.
	Emit(m broker.Message)
	// Attach answers Join: the member gets replay (read-only, perhaps empty), and
	// from then on all that is emitted. At is its position after the replay.
	Attach(member M, at broker.Position, replay []broker.Message)
	// Restart answers Join where it cannot go on: the member is to be told to
	// start anew at this position, and gets from then on all that is emitted.
	Restart(member M, at broker.Position, why Reason)
	// RestartAll tells all members that are attached to start anew.
	RestartAll(at broker.Position, why Reason)
	// Refuse answers Join where the room cannot be opened at all.
	Refuse(member M, err error)
}

// A Reason says why somebody has to start anew. Its text is for clients.
type Reason string

// Reasons of a restart.
const (
	// Forgotten: the position is of another epoch; the store has begun anew.
	Forgotten Reason = "epoch"
	// Trimmed: history does not reach back to the position any more.
	Trimmed Reason = "trimmed"
	// TooFar: more was missed than is replayed (Limits.Replay).
	TooFar Reason = "too_far"
	// Forked: another message stands where the position's was: the store lost what
	// it had acknowledged and went on.
	Forked Reason = "forked"
	// Lost: the store lost its last messages.
	Lost Reason = "tail_lost"
	// Ahead: the position lies beyond the room's last message.
	Ahead Reason = "ahead"
	// Unavailable: the broker could not be asked.
	Unavailable Reason = "unavailable"
)

// Limits of a feed. Zero fields are the defaults.
type Limits struct {
	// Ring and RingBytes bound the messages kept on this node, from which most
	// who return are served without the broker. Zero is 64 messages, 64 KiB of
	// data.
	Ring, RingBytes int
	// RingAge is how long they are kept in a room that has become quiet. Zero is
	// 2 minutes: longer than a phone takes to change network.
	RingAge time.Duration
	// Replay and ReplayBytes bound what a member gets on its return; who missed
	// more is restarted. Zero is 500 messages, 1 MiB of data.
	Replay, ReplayBytes int
	// Held bounds the messages kept while order is being found; what comes beyond
	// it is read from the broker afterwards. Zero is 1024.
	Held int
}

// WithDefaults returns l with its zero fields filled.
func (l Limits) WithDefaults() Limits {
	for _, f := range []struct {
		field *int
		unset int
	}{{&l.Ring, 64}, {&l.RingBytes, 64 << 10}, {&l.Replay, 500}, {&l.ReplayBytes, 1 << 20}, {&l.Held, 1024}} {
		if *f.field == 0 {
			*f.field = f.unset
		}
	}
	if l.RingAge == 0 {
		l.RingAge = 2 * time.Minute
	}
	return l
}
