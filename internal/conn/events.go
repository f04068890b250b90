package conn

import "github.com/finch-go/finch/internal/frame"

// Events is the owner of a connection. The engine calls it; the owner sends
// and closes through the [Conn].
//
// Opened, Received, Ending and Closed run on the executor: never two at once, in this
// order, and they may block. The others are called by whoever notices, must
// not block, and may run at the same time as the executor's. No callback runs
// under a lock of the connection. The owner recovers its own panics.
type Events interface {
	// Opened is the first call.
	Opened()

	// Early sees a message as soon as it is read, before those that arrived
	// earlier have been handled, and takes it by answering true: this is how
	// an answer overtakes the handler that waits for it. The payload is
	// borrowed until Early returns. A compressed message is seen only when its
	// turn has come, by the executor, unless a [Waiter] waits.
	Early(op frame.Opcode, payload []byte) bool

	// Received is one whole message; op is Text or Binary. The payload is
	// the owner's to keep.
	Received(op frame.Opcode, payload []byte)

	// Ending comes before the close frame, unless Close is what ends the
	// connection: the last chance to send. It runs on the executor, after
	// what arrived before has been handled. failed: the peer broke the
	// protocol or a limit.
	Ending(why Close, failed bool)

	// Writable tells that a connection which refused a Push would take one
	// now.
	Writable()

	// Deaf tells that nothing is read for now, so that an answer that
	// somebody waits for will not come: err is ErrInboxFull (reading goes on
	// later) or ErrClosed.
	Deaf(err error)

	// Closing is called once, when nothing more can be sent and no further
	// message will be handled except those that had arrived from a peer that
	// went away.
	Closing()

	// Closed is the last call and comes exactly once, after Closing and
	// after the last Received has returned.
	Closed(why Close)
}

// Inliner is an [Events] that says whether its Received is so short that the
// reader itself should run it: no goroutine and no copy for a message, but
// whatever Received does, every connection of that reader waits for. The
// payload is then borrowed until Received returns, always.
//
// It is asked once, by [Engine].New. Only Received runs on the reader, and
// only when nothing that came before is still to be done; one at a time and in
// order, as ever.
type Inliner interface {
	Events
	Inline() bool
}

// Close says how a connection ended.
type Close struct {
	// Code is the close code (RFC 6455 section 7.4): the peer's when it
	// closed first, ours when we did, 1005 when the peer gave none, 1006 when
	// the connection ended without a close frame.
	Code   int
	Reason string
	// Clean: close frames went both ways (RFC 6455 section 7.1.4).
	Clean bool
}
