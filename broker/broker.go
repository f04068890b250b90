package broker

import (
	"context"
	"time"
)

// A Broker joins nodes. One value is one node's connection: it is started once,
// used, and closed once.
//
// All methods but Start and Close may be called from any goroutine at any time
// between the two; before and after, those that return an error return
// ErrClosed. Methods with a context may block until it ends; the others do not
// block. A method must not be called from inside a Sink's method.
//
// Names of rooms are 1 to MaxRoom bytes; ErrBadRoom is returned for others.
type Broker interface {
	// Start connects, takes the node's lease and returns when the broker can
	// serve. ErrUnavailable is returned if it cannot be reached before ctx ends, or
	// for another reason that time may end; any other error comes again until
	// somebody changes something. After an error it may be called again.
	// From now on sink's methods are called, even before Start has returned.
	Start(ctx context.Context, node Node, sink Sink) error

	// Close ends the node's lease, so that the others learn at once that it has
	// gone, and gives back all that Start took. When it has returned no method of
	// the sink runs or will run. The second call does nothing.
	Close(ctx context.Context) error

	// Caps says what this broker can do. It does not change after Start.
	Caps() Caps

	// Open registers this node's interest in rooms and returns their heads, in
	// the order of rooms. Interest comes first and the head is read after it,
	// past whatever decides the order (in a cluster: the leader), so that of
	// every message committed after the head one of these holds: it is
	// delivered; or a later message's Prev shows that it is missing; or Uncertain
	// is called; or Heads shows it. To subscribe, flush and read is not enough
	// where interest spreads between servers by itself.
	//
	// Opening a room again returns its head anew and changes nothing else. On an
	// error some of the rooms may have been opened; Release gives them back.
	Open(ctx context.Context, rooms []string) ([]Head, error)

	// Release ends the interest in rooms; those that are not open are passed over.
	// Messages of a room may still be delivered for a while afterwards.
	Release(rooms []string)

	// Publish records data as the room's next message and delivers it to every
	// node that has the room open, this one included. A nil error says that the
	// message is recorded as durably as Caps says; delivery may come before or
	// after Publish returns. Data is handed over: nobody changes it any more.
	//
	// With a key, the pair of Publisher and Key is remembered with the room for
	// Caps.DedupeWindow: a second publish with both and equal data, from any
	// node, records nothing and returns the first one's Ack with Duplicate set;
	// with other data ErrKeyReused is returned. What is compared is data alone,
	// byte by byte, so nothing that changes between tries may stand in it.
	//
	// ErrTooLarge, ErrBadRoom, ErrUnknownProfile, ErrKeyReused, ErrClosed and
	// ErrUnavailable say that nothing was recorded. Any other error, that of ctx
	// included, leaves the outcome open: publish again with the same key. The
	// broker itself does not try again. Calls of one goroutine are recorded in
	// their order.
	Publish(ctx context.Context, room string, data []byte, options PublishOptions) (Ack, error)

	// Read returns messages of a room as r says, in one page. A room that is
	// unknown has no messages. A stale replica is asked again inside; a page is
	// complete or its fields say that it is not. Page.Follow checks what a page
	// proves. ErrUnavailable is returned if no complete answer came before ctx
	// ended.
	Read(ctx context.Context, room string, r Range) (Page, error)

	// Heads re-checks rooms, which need not be open: it returns the heads of
	// those that may have changed since the mark, in no order, and the mark for
	// the next call. A room that is not returned has had no message, loss or purge
	// between the two marks. If the mark cannot be honoured (it is zero, or from
	// another store, or from a future that the store has lost) all are returned.
	// An answer is at least as new as anything delivered to this node before the
	// call. It is meant for a hundred thousand rooms at once.
	Heads(ctx context.Context, rooms []string, since Mark) (changed []Head, next Mark, err error)

	// Purge forgets a room's messages on the store. Its next position has a new
	// epoch, and nodes that have the room open are told by Uncertain.
	Purge(ctx context.Context, room string) error

	// Send carries data to sinks without recording it: at most once, to those
	// that are there now, in order for one sending node and target. This node's
	// own sink is among them if it is meant by the target. Nil says only that the
	// broker took it. ErrUnknownNode is returned if the broker knows that the
	// target is a node that does not live.
	Send(ctx context.Context, to Target, data []byte) error

	// Ask sends a question to one node and returns what its Sink.Answer did, or a
	// *Refusal with the text of Answer's error if it refused. It waits for a node
	// that is slow as long as ctx does, and for one that has gone no longer than it
	// takes to find out, which is tried while the question waits: ErrUnknownNode is
	// returned if the node does not live, or its lease ends first; ErrUnavailable if
	// it does not listen, though its lease lasts: it was killed a moment ago, or is
	// cut off. A question that ends so may have been heard.
	Ask(ctx context.Context, node string, question []byte) ([]byte, error)

	// SetShare sets how many members of a room this node has; 0 takes the share
	// away. A share counts only while the lease of the node that set it lives: a
	// node that dies takes its shares with it, without a write by anybody.
	SetShare(ctx context.Context, room string, members int) error

	// Shares returns the shares of a room, those of live nodes only, by node id.
	Shares(ctx context.Context, room string) ([]Share, error)

	// Nodes returns the nodes that live, this one included, by id.
	Nodes() []NodeState
}

// Caps is what a broker can do.
type Caps struct {
	// Durable: recorded messages outlive the process.
	Durable bool
	// Cluster: there may be other nodes. Without it nobody needs to be told what
	// one node knows.
	Cluster bool
	// MaxPayload is the longest data of a message in bytes.
	MaxPayload int
	// DedupeWindow is how long a publish key is remembered. A broker may be told
	// to keep fewer keys than come in that time; it counts when it does.
	DedupeWindow time.Duration
}
