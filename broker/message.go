package broker

import (
	"math"
	"time"
)

// MaxRoom is the longest name of a room in bytes: 256 of the app's own, and a few
// that tell rooms, users and everyone apart. Any bytes may stand in it; a broker
// whose names are narrower encodes them.
const MaxRoom = 264

// PrevUnknown in Message.Prev says that the broker cannot tell which message
// came before.
const PrevUnknown = math.MaxUint64

// A Message is one recorded message of a room. All of it is read-only once it
// has been handed to a Sink or returned in a Page: the bytes of Data are shared.
type Message struct {
	Room     string
	Position Position // of this message; its tag is never zero
	// Prev is the offset of the message before this one in the same room and
	// epoch: 0 where there was none, PrevUnknown where the broker cannot tell
	// (a store that answers 0 both for none and for deleted cannot tell). Where the
	// store numbers rooms together, the first message has the offset of the empty
	// position that this broker gave as the room's head, if it can tell.
	Prev uint64
	// PrevTag is the tag of the message before, 0 where there was none or the
	// broker does not know it. A broker that knows it makes a lost tail visible
	// with the very next message.
	PrevTag uint64
	Key     string    // PublishOptions.Key
	From    string    // PublishOptions.From
	At      time.Time // when the store recorded it, by the store's clock
	Data    []byte    // opaque to the broker
}

// PublishOptions are for one publish. The zero value is fine.
type PublishOptions struct {
	// Profile names the history that the room keeps, one of Node.Profiles; empty
	// is the profile of that name, or DefaultProfile. All messages of a room are
	// to be published with one profile; if not, the last one counts.
	Profile string
	// Key makes a repetition of this publish harmless: see Broker.Publish. Empty
	// means no such protection. It travels with the message, so that its
	// publisher knows it again.
	Key string
	// Publisher is whose Key it is: keys of two publishers never meet. It may be
	// secret: it never travels with the message.
	Publisher string
	// From is shown to readers as the sender. It may differ between two tries of
	// one publish; the first recorded one stays.
	From string
}

// An Ack says that a message is recorded.
type Ack struct {
	Position Position
	// Duplicate: an earlier publish with this key had recorded the message, and
	// Position is the one that it got.
	Duplicate bool
}

// A Profile is a class of history.
type Profile struct {
	Name string
	// Size is how many messages of a room are kept; 0 keeps none, so that a
	// reader recovers only from what nodes hold in memory. Negative is refused by
	// Start.
	Size int
	// Age is how long a message is kept; 0 means that age removes none. Negative
	// is refused by Start.
	Age time.Duration
}

// DefaultProfile is what a room keeps that was published to without a profile,
// when Node.Profiles has none of the empty name: enough for a phone that changes
// network, in a few kilobytes.
var DefaultProfile = Profile{Size: 100, Age: 5 * time.Minute}
