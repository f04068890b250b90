package client

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/finch-go/finch/protocol"
)

// A Message is one event that came from the server. It belongs to whoever gets
// it.
type Message struct {
	// Path is the event's name.
	Path string
	// Data is JSON; nil if the message is binary.
	Data json.RawMessage
	// Binary is the data of a binary message, which may be empty; nil if it is
	// JSON.
	Binary []byte
	// Room is the room that it was sent to, or recorded in; empty if none.
	Room string
	// To is "user" or "everyone" if it was recorded there; empty if not.
	To string
	// Position says where the room's reader stands after it; empty if it was not
	// recorded. It is opaque text for [HistoryOptions], and for an app that keeps
	// what it has done together with how far it got.
	Position string
	// From is the user, or the socket of an anonymous client, that published it;
	// empty if the server did.
	From string
	// Key is the key that it was published under, by which the publisher knows
	// its own message again; empty if none.
	Key string
	// Time is when the server wrote it or, for a recorded one, recorded it; zero
	// if it did not say.
	Time time.Time
}

// Decode decodes the data into a value, as json.Unmarshal does; into *[]byte it
// puts the bytes of a binary message. The error is an [Error] with code
// bad_data.
func (m *Message) Decode(into any) error {
	if b, ok := into.(*[]byte); ok {
		if m.Binary == nil {
			return badData("%s takes bytes, and JSON came", m.Path)
		}
		*b = m.Binary
		return nil
	}
	if m.Binary != nil {
		return badData("%s takes JSON, and bytes came", m.Path)
	}
	if err := json.Unmarshal(m.Data, into); err != nil {
		return badData("the data of %s is not what it takes: %v", m.Path, err)
	}
	return nil
}

func badData(format string, args ...any) error {
	return &Error{Status: protocol.StatusBadRequest, Code: protocol.RefusalBadData, Message: fmt.Sprintf(format, args...)}
}

// incoming is a message as it was read.
type incoming struct {
	protocol.Envelope
	binary []byte // not nil if it came in a binary frame
	size   int
}

// anyDepth is as deep as encoding/json goes: how deep is too deep is the server's
// to say, and a recorded message that is passed over would be lost.
var anyDepth = protocol.ParseOptions{MaxDepth: math.MaxInt}

// parse reads a frame's payload, which it keeps.
func parse(payload []byte, binary bool) (m incoming, err error) {
	m.size = len(payload)
	if binary {
		m.Envelope, m.binary, err = protocol.ParseBinary(payload, anyDepth)
	} else {
		m.Envelope, err = protocol.Parse(payload, anyDepth)
	}
	if err != nil {
		return incoming{}, err
	}
	return m, nil
}

// message is what the user gets of it.
func (m *incoming) message() *Message {
	out := &Message{
		Path: m.Path, Data: m.Data, Binary: m.binary, Room: m.Room, To: m.To,
		Position: m.Position, From: m.From, Key: m.Key,
	}
	if m.binary != nil {
		out.Data = nil
	} else if out.Data == nil {
		out.Data = json.RawMessage("null")
	}
	if m.Timestamp > 0 {
		out.Time = time.UnixMilli(m.Timestamp)
	}
	return out
}

// outgoing is a message that is on its way out.
type outgoing struct {
	protocol.Envelope
	binary []byte // not nil: it travels in a binary frame
}

// newOutgoing encodes data: a []byte as bytes, anything else as JSON.
func newOutgoing(path string, data any) (outgoing, error) {
	o := outgoing{Envelope: protocol.Envelope{Path: path}}
	if err := protocol.CheckPath(path); err != nil {
		return o, fmt.Errorf("client: the path %q cannot be one: %w", path, err)
	}
	if b, ok := data.([]byte); ok {
		o.binary = b
		if b == nil {
			o.binary = []byte{}
		}
		return o, nil
	}
	raw, err := protocol.Marshal(data)
	if err != nil {
		return o, fmt.Errorf("client: the data for %s cannot be JSON: %w", path, err)
	}
	o.Data = raw
	return o, nil
}

// size is about what it will take on the wire.
func (o *outgoing) size() int { return len(o.Path) + len(o.Data) + len(o.binary) + 64 }
