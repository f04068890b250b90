package finch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// record is a recorded message as the broker keeps it: what was published and
// nothing that differs from one try of a publish to the next, because the
// broker compares the bytes of two tries.
type record struct {
	path   string
	status int
	// except is the client that does not get the message; empty: none.
	except string
	// silent: the client that publishes does not get it. Which one that is stands
	// with the sender and not here: another device of the same user may repeat the
	// publish.
	silent bool
	// replace names what a member that is behind needs only the newest of.
	replace string
	binary  bool
	data    []byte // JSON, or the bytes of a binary message
}

// recordVersion begins every record, so that nodes of two versions can tell
// each other's apart.
const recordVersion = 1

// Flags of a record.
const (
	recordBinary = 1 << iota
	recordSilent
)

// senderMark stands between the name of a sender that others see and the client
// that sent, in what the broker keeps.
const senderMark = "\x00"

// sender takes what the broker keeps of a sender apart.
func sender(kept string) (name, client string) {
	name, client, _ = strings.Cut(kept, senderMark)
	return name, client
}

// skips answers the client that does not get a recorded message; empty: none.
func (r *record) skips(m *broker.Message) string {
	if r.silent {
		_, client := sender(m.From)
		return client
	}
	return r.except
}

var errRecord = errors.New("finch: not a recorded message")

func (r *record) append(b []byte) []byte {
	flags := byte(0)
	if r.binary {
		flags |= recordBinary
	}
	if r.silent {
		flags |= recordSilent
	}
	b = append(b, recordVersion, flags)
	b = binary.AppendUvarint(b, uint64(r.status))
	for _, s := range []string{r.path, r.except, r.replace} {
		b = appendText(b, s)
	}
	return append(b, r.data...)
}

// parseRecord reads what append wrote; data is a part of b.
func parseRecord(b []byte) (r record, err error) {
	if len(b) < 2 || b[0] != recordVersion || b[1]&^(recordBinary|recordSilent) != 0 {
		return r, errRecord
	}
	r.binary, r.silent = b[1]&recordBinary != 0, b[1]&recordSilent != 0
	b = b[2:]
	status, n := binary.Uvarint(b)
	if n <= 0 || status < 100 || status > 999 {
		return r, errRecord
	}
	r.status, b = int(status), b[n:]
	ok := true
	for _, s := range []*string{&r.path, &r.except, &r.replace} {
		if *s, b, ok = cutText(b); !ok {
			return r, errRecord
		}
	}
	if protocol.CheckPath(r.path) != nil || !r.binary && !protocol.Valid(b) {
		return r, errRecord
	}
	r.data = b
	return r, nil
}

// frame makes the frame in which members get a recorded message.
func (r *record) frame(at hub.Address, m *broker.Message) []byte {
	e := protocol.Envelope{
		Path: r.path, Status: r.status, Timestamp: m.At.UnixMilli(),
		Position: m.Position.String(), Key: m.Key,
	}
	e.From, _ = sender(m.From)
	e.Room, e.To = wireAddress(at)
	if r.binary {
		return binaryFrame(&e, r.data)
	}
	e.Data = r.data
	return textFrame(&e)
}

// wireAddress answers how an address is written on the wire.
func wireAddress(at hub.Address) (room, to string) {
	switch at.Kind {
	case hub.User:
		return "", protocol.ToUser
	case hub.Everyone:
		return "", protocol.ToEveryone
	}
	return at.Name, ""
}

// storeName is what an address is called at the broker, which treats rooms,
// users and everyone alike.
func storeName(at hub.Address) string {
	switch at.Kind {
	case hub.User:
		return "u:" + at.Name
	case hub.Everyone:
		return "e:"
	}
	return "r:" + at.Name
}

// addressOf is the reverse of storeName.
func addressOf(name string) (hub.Address, error) {
	if len(name) >= 2 {
		switch name[:2] {
		case "r:":
			return hub.Address{Kind: hub.Room, Name: name[2:]}, nil
		case "u:":
			return hub.Address{Kind: hub.User, Name: name[2:]}, nil
		case "e:":
			return hub.Address{Kind: hub.Everyone}, nil
		}
	}
	return hub.Address{}, fmt.Errorf("finch: %q is not the store's name of an address", name)
}
