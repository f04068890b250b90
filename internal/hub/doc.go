// Package hub knows who is here: members, the addresses they can be reached
// at (everyone, a user, a room), and how a message gets from an address to
// each of its members.
//
// It knows a [Sink], not a socket: what a member is made of, how its bytes
// move and what a message means are the business of others. It starts no
// goroutine and reads no clock.
package hub
