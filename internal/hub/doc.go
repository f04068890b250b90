// Package hub knows who is here and gets messages to them: members, the
// addresses they can be reached at (everyone, a user, a room, the watchers of a
// room), and the order in which each member gets what it is owed.
//
// An address is a log and a member's place in it is a cursor: sending appends
// once, whatever the number of members, and a slow member costs a cursor and
// not a queue. A pump brings members up to date, all that one is owed at a
// time, so that messages which pile up while it walks leave together.
//
// What an address may keep for members that are behind is bounded. Beyond that
// the [Policy] of those furthest behind decides: the member goes, or lags until
// whoever knows the address's history has caught it up, or keeps the newest of
// each key.
//
// The hub is a step machine: it starts no goroutine and reads no clock. It
// says that there is work through [Options].Wake, and whoever drives it calls
// [Hub.Step], from as many goroutines as there are cores to use. It knows a
// [Sink], not a socket.
//
// # Order
//
// Every entry carries a number from one sequence of the whole hub. What one
// goroutine sends, to whatever addresses and members, reaches each member in
// the order of its calls; what several send to one address reaches all its
// members in one order.
package hub
