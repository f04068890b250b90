package client

// An Event is something that happened in a room, in the order in which it did:
// a [*Message], or one of [*Joined], [*Lagged], [*Reset] and [*Left].
type Event interface{ event() }

// Joined says that the client is in the room, for the first time or again after its
// connection was lost.
type Joined struct {
	Room string
	To   string // "user" or "everyone" in place of a room
	// Position is where it stands.
	Position string
	// Recovered says that the client goes on from where it was: Missed messages
	// follow, and nothing was lost. Otherwise it begins at Position.
	Recovered bool
	Missed    int
}

// Lagged says that messages of the room pause, and will go on in order from where
// they stopped, unless a [*Reset] comes. It is so because the client reads the
// connection too slowly, because more events of the room wait for [Room.Events]
// than [Options].RoomQueue, or because the room is not available for a while.
// Messages that are not recorded and come meanwhile are lost.
type Lagged struct {
	Room string
}

// Reset says that what the app knows of the room is stale, and cannot be caught
// up: it must fetch its state again. Messages go on after Position.
type Reset struct {
	Room     string
	To       string // "user" or "everyone" in place of a room
	Position string
	Reason   string // of the server's, for programs: "trimmed"
}

// Left says that the server took the client out of the room, or did not let it in
// again. It does not come back by itself.
type Left struct {
	Room string
	Err  *Error // nil if the server gave no reason
}

func (*Message) event() {}
func (*Joined) event()  {}
func (*Lagged) event()  {}
func (*Reset) event()   {}
func (*Left) event()    {}
