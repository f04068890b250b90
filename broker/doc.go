// Package broker is the contract between Finch and what joins its nodes: a store
// that puts the messages of each room in one order, keeps the last of them, and
// carries every message to the nodes that have members in the room.
//
// It holds no implementation. Package broker/memory is one for a single process
// (or for several nodes inside one); package brokertest tests any other. Whoever
// writes one implements [Broker] and calls the [Sink] that Start was given.
//
// # What a broker must do, and what it need not
//
// A broker must put recorded messages of a room in one order, say which message
// each one follows ([Message.Prev]), answer [Broker.Heads] and [Broker.Read]
// truly or with an error, and remember publish keys for [Caps.DedupeWindow].
//
// It need not deliver everything: a live message may be lost, repeated, late or
// out of order on its way to a node. The feed of the room repairs all of that
// from Prev, Heads and Read. So a broker buffers nothing for order's sake, checks
// no gaps and keeps no state per member.
//
// # Words
//
// A room, to a broker, is any address that has a log. Finch gives rooms, users
// and everyone names that cannot collide, and a broker treats them alike. A node
// is one process that started the broker; an incarnation is one life of a node.
// The head of a room is the position of its last message. An epoch is a stretch
// of a room's life in which no offset was ever used twice, as far as the store
// can tell: it changes when the store was emptied, created anew, or forgot the
// room's head.
//
// # Errors
//
// A method that fails wraps one of this package's errors where one fits, so that
// errors.Is finds it. [ErrUnavailable] says that nothing was done; an error that
// is none of this package's leaves the outcome open, exactly as
// [ErrUnknownOutcome] does.
package broker
