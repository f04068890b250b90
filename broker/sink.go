package broker

import "context"

// A Sink is what a node gives to its broker: where messages and news arrive.
//
// Calls for one room come one after another; calls for different rooms, and
// those that are for no room, may come at the same time from different
// goroutines. No method but Answer may block, and none may call the broker: the
// broker may hold its locks meanwhile.
type Sink interface {
	// Deliver brings a recorded message of a room. It may come twice, late, out
	// of order, not at all, and for a room that is not open.
	Deliver(m Message)
	// Receive brings what a node sent.
	Receive(s Sent)
	// Answer answers what a node asked. It runs on a goroutine of its own (or its
	// asker's), may block until ctx ends, and may call the broker.
	Answer(ctx context.Context, from string, question []byte) ([]byte, error)
	// Uncertain says that messages within scope may have been lost on the way or
	// that the store may have changed: re-check heads now. It is called after a
	// reconnect before the messages that follow it, after a subscriber was too
	// slow, when a leader changed, after a purge.
	Uncertain(scope Scope, why error)
	// NodeUp and NodeDown bring news of other nodes; those that live when this one
	// starts are up then. A node that comes back is up with a new incarnation;
	// NodeDown of an older incarnation may come after it.
	NodeUp(n NodeState)
	NodeDown(n NodeState)
	// State says how the broker is reached from now on; why is nil for Connected.
	// It begins as Connected when Start returns.
	State(s State, why error)
}

// A Scope says which rooms are meant.
type Scope struct {
	Rooms []string // these; if nil, all
}

// All reports whether every room is meant.
func (s Scope) All() bool { return s.Rooms == nil }

// Sent is something sent and not recorded. Data is read-only.
type Sent struct {
	To   Target
	From string // id of the sending node
	Data []byte
}

// A State is how a broker is reached.
type State uint8

const (
	// Connected: all works.
	Connected State = iota
	// Degraded: something works, or the lease could not be renewed in time.
	// Presence is to be frozen.
	Degraded
	// Down: nothing works. Publishing fails with ErrUnavailable.
	Down
)

func (s State) String() string {
	switch s {
	case Connected:
		return "connected"
	case Degraded:
		return "degraded"
	case Down:
		return "down"
	}
	return "unknown state"
}
