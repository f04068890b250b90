package redis

import (
	"encoding/binary"

	"github.com/finch-go/finch/broker"
)

// What travels on a channel begins with a byte that says what it is. A message
// is a record; the others are made of an id of 8 bytes, a text and the rest, of
// which each uses what it needs.
const (
	frameMessage  = 'm' // on a room's channel: a record
	frameSent     = 's' // something sent: text is the sender, rest the data
	framePurged   = 'x' // on a room's channel: its history was purged
	frameQuestion = 'q' // on a node's channel: text is the asker, rest the question
	frameAnswer   = 'a' // on the asker's channel: rest is the answer
	frameRefusal  = 'f' // on the asker's channel: rest is why
	frameNodes    = 'c' // to everyone: a node came or went, look now
	frameProbe    = 'p' // to oneself: the subscription lives
)

// A frame is anything on a channel but a message.
type frame struct {
	kind byte
	id   uint64
	text string
	rest string
}

func appendFrame(b []byte, kind byte, id uint64, text string, rest []byte) []byte {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint64(b, id)
	b = appendText(b, text)
	return append(b, rest...)
}

// newFrame is appendFrame as a text of its own.
func newFrame(kind byte, id uint64, text string, rest []byte) string {
	return textOf(appendFrame(make([]byte, 0, 1+8+binary.MaxVarintLen64+len(text)+len(rest)), kind, id, text, rest))
}

// parseFrame reads a frame, which shares b's bytes.
func parseFrame(b string) (f frame, err error) {
	if len(b) < 9 || b[0] == frameMessage {
		return frame{}, errBadRecord
	}
	f.kind, f.id = b[0], number(b[1:9])
	var ok bool
	if f.text, f.rest, ok = cutText(b[9:]); !ok {
		return frame{}, errBadRecord
	}
	return f, nil
}

// sent makes what a sink receives of a frame.
func (f frame) sent(to broker.Target) broker.Sent {
	return broker.Sent{To: to, From: f.text, Data: bytesOf(f.rest)}
}
