// Package bench is a load generator for WebSocket servers, and the server that
// it is tried on.
//
// [Run] opens sockets, makes one [Plan] happen, and returns a [Result]: how many
// messages, how late, which of them lost, doubled or out of order, and what the
// server's process paid for it. [NewServer] is a Finch server with the addresses
// that a plan speaks to and no limits in the way.
//
// It drives any server that echoes or hands on what it gets: each payload bears
// a stamp, and the stamp is looked for in whatever comes back. What one server
// wants around the payload and another does not is a dialect.
//
// Latency counts from the moment at which a message was meant to be sent. A
// server that stalls for a second is late with all that was due in that second,
// not with the one message that happened to be under way.
//
// One thread does everything: it waits with epoll and keeps no goroutine, timer
// or buffer for a socket at rest, so that the load costs less than what it loads.
package bench
