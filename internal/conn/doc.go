// Package conn keeps live WebSocket connections: it reads frames from a
// network connection, hands whole messages to their owner one at a time, and
// writes what the owner sends.
//
// It knows bytes and time. It does not know HTTP, envelopes, users or rooms:
// the upgrade has happened before a connection gets here, and what a message
// means is decided by the [Events] of its owner.
//
// An [Engine] decides how a connection waits for bytes. The portable engine
// spends one goroutine on it and works with every [net.Conn]; the epoll engine
// spends a few goroutines on all connections together, on Linux. Both drive the
// same [Conn], so that order, bounds and the closing handshake are written once.
//
// # Words
//
// The reader is whoever feeds arriving bytes to a Conn: one at a time.
// The executor runs the owner's callbacks, in order, one at a time; it is a
// goroutine that exists only while there is something to run.
// A flusher writes queued frames: one at a time, whoever it is. In the portable
// engine it is a goroutine that exists only while there are any; in the epoll
// engine it is the executor when it has nothing left to run, the reader at the
// end of its turn, or a goroutine that all connections of a poller share.
// The poller waits for a share of the connections and is their reader.
package conn
