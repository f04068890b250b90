package hub

import "github.com/finch-go/finch/broker"

// Sink takes what a member is owed. Its methods must not block and must not
// call the hub, except that Overflow and Lagged may.
type Sink interface {
	// Push hands over frames, in pieces that nobody may change: other sinks
	// get the same bytes. The slice of them is the hub's again once Push has
	// returned. False: nothing was taken, because the sink still
	// has to do with what it took before; it then has to call
	// [Hub.Writable] once that is done.
	Push(pieces [][]byte) bool

	// Overflow tells that the member is so far behind that it must go: it gets
	// nothing any more. It is called once, with no lock held.
	Overflow()

	// Lagged tells that a member under policy [Resync] fell too far behind at
	// an address: it gets nothing of that until [Hub.Resume]. It has been given
	// the recorded messages up to from, and none after; the zero Position if
	// the hub knows of none. It is called once each time, with no lock held,
	// from within [Hub.Send] or [Hub.Step]; the member may have left meanwhile.
	Lagged(at Address, from broker.Position)
}
