package finch

import (
	"encoding/binary"
	"errors"

	"github.com/finch-go/finch/internal/hub"
)

// news is what nodes send each other about an address, unrecorded.
type news struct {
	kind newsKind
	// except is the session or socket that is left out, of newsFrame.
	except string
	// replace is the name of what the frame replaces, of newsFrame.
	replace string
	body    []byte
}

type newsKind byte

const (
	newsFrame        newsKind = iota + 1 // body is a frame for all members
	newsCloseAll                         // the room is closed
	newsCloseSockets                     // body is a close code and a reason
	newsPresence                         // body is what changed in the node's part of a room
	newsSocket                           // body is a frame for the socket that except names
)

const newsVersion = 1

// newsRoom is room enough for what news say besides their body, which is two ids
// or names of clients' choice at the most.
const newsRoom = 1 << 10

var errNews = errors.New("not what this version of Finch sends")

func (n *news) append(b []byte) []byte {
	b = append(b, newsVersion, byte(n.kind))
	b = appendText(appendText(b, n.except), n.replace)
	return append(b, n.body...)
}

func parseNews(b []byte) (*news, error) {
	if len(b) < 2 || b[0] != newsVersion {
		return nil, errNews
	}
	n := &news{kind: newsKind(b[1])}
	ok := true
	if n.except, b, ok = cutText(b[2:]); !ok {
		return nil, errNews
	}
	if n.replace, b, ok = cutText(b); !ok {
		return nil, errNews
	}
	n.body = b
	return n, nil
}

// hear takes what another node sent to an address.
func (m *SocketManager) hear(at hub.Address, from string, n *news) {
	switch n.kind {
	case newsFrame:
		msg := m.gate.compression.message(n.body)
		msg.Key = n.replace
		m.hub.Send(at, msg, m.memberCalled(n.except))
	case newsCloseAll:
		m.emptyRoom(at)
	case newsCloseSockets:
		if code, size := binary.Uvarint(n.body); size > 0 && code <= 4999 {
			Room{m, at}.closeHere(int(code), string(n.body[size:]))
		}
	case newsPresence:
		m.presence.hear(at.Name, from, n.body)
	case newsSocket:
		if s := m.Socket(n.except); s != nil {
			s.told(n.body)
		}
	}
}
