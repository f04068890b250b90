package story

import (
	"fmt"
	"time"
)

// Kind is what happened to a client in a room.
type Kind uint8

const (
	// Joined: it is in, from Position on, without a past.
	Joined Kind = iota + 1
	// Recovered: it goes on from Position, which it has shown.
	Recovered
	// Reset: what it has is stale; it goes on from Position.
	Reset
	// Got: a recorded message came.
	Got
	// Moved: its place moved past a message that was not meant for it.
	Moved
	// Lagged: messages pause.
	Lagged
	// Away: the connection is gone; the client will come back.
	Away
	// Left: it is out of the room, by its own will.
	Left
	// Expelled: the server took it out, or did not let it in.
	Expelled
)

var kindNames = [...]string{Joined: "joined", Recovered: "recovered", Reset: "reset", Got: "got", Moved: "moved", Lagged: "lagged", Away: "away", Left: "left", Expelled: "expelled"}

// String names the kind.
func (k Kind) String() string { return kindNames[k] }

// An Event is something that a client saw in a room, in the order in which it
// saw it.
type Event struct {
	At       time.Duration // since the start
	Client   string        // who saw it
	Session  int           // which of the client's sessions, from 1
	Node     int           // where it was connected
	Room     string
	Kind     Kind
	Position string
	Shown    string // of Joined, Recovered and Reset: the position that the client had shown
	Key      string // of Got
	Reason   string // of Reset and Expelled
	Missed   int    // of Recovered
}

// A Publication is what its publisher knows of one message.
type Publication struct {
	Key       string
	Room      string
	Publisher string // the client
	Session   int
	NoEcho    bool
	Begun     time.Duration
}

// A Violation is a promise that was broken.
type Violation struct {
	At     time.Duration // when it was seen
	Kind   string        // "lost", "doubled", "reordered", "false reset" …
	Room   string
	Client string
	Text   string
}

// String says all of it in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%8.3fs %s: room %s, client %s: %s", v.At.Seconds(), v.Kind, v.Room, v.Client, v.Text)
}
