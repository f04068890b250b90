package nats

import (
	"bytes"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// Headers that Finch writes.
const (
	headerTag  = "Finch-Tag"  // of the position: 64 random bits in base 16
	headerKey  = "Finch-Key"  // of the publish
	headerFrom = "Finch-From" // who is shown as the sender
	headerNode = "Finch-Node" // who sent or asked
)

// Headers that NATS writes or reads.
const (
	headerStream     = "Nats-Stream"
	headerSubject    = "Nats-Subject"
	headerSequence   = "Nats-Sequence"
	headerLast       = "Nats-Last-Sequence"
	headerTime       = "Nats-Time-Stamp"
	headerMarker     = "Nats-Marker-Reason"
	headerTTL        = "Nats-TTL"
	headerMsgID      = "Nats-Msg-Id"
	headerExpectedIn = "Nats-Expected-Stream"
	headerExpected   = "Nats-Expected-Last-Subject-Sequence"
	headerPending    = "Nats-Num-Pending"
	headerUpTo       = "Nats-UpTo-Sequence"
	headerStatus     = "Status"
)

// header returns the first value. The keys are in the form in which they travel.
func header(h natsgo.Header, key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}

func number(h natsgo.Header, key string) uint64 {
	n, err := strconv.ParseUint(header(h, key), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// newTag returns the tag of a message to be published. It is random, so that no
// client can choose it, and no two publishes share it, not even two tries of one.
func newTag() uint64 {
	for {
		if tag := rand.Uint64(); tag != 0 {
			return tag
		}
	}
}

// tagOf returns the tag of a stored message. One that Finch did not write has
// none of its own; when it was stored is what tells it apart.
func tagOf(tag, at string) uint64 {
	if t, err := strconv.ParseUint(tag, 16, 64); err == nil && t != 0 {
		return t
	}
	h := fnv.New64a()
	h.Write([]byte(at))
	return h.Sum64() | 1
}

// smallData is up to which length data is copied out of the buffer that it came
// in: else the headers, about 350 bytes, would stay with it wherever it is kept.
const smallData = 2 << 10

// A record is a stored message.
type record struct {
	stream   *stream // nil where it does not matter
	sequence uint64
	tag      uint64
	at       time.Time
	key      string
	from     string
	data     []byte
}

// recordFrom reads a message that was republished, or got directly.
func recordFrom(m *natsgo.Msg) record {
	at := header(m.Header, headerTime)
	r := record{
		sequence: number(m.Header, headerSequence),
		tag:      tagOf(header(m.Header, headerTag), at),
		key:      textOf(header(m.Header, headerKey)),
		from:     textOf(header(m.Header, headerFrom)),
		data:     m.Data,
	}
	if len(r.data) < smallData {
		r.data = bytes.Clone(r.data)
	}
	r.at, _ = time.Parse(time.RFC3339Nano, at)
	return r
}

// message makes the broker's message. What came before is unknown.
func (r *record) message(room, epoch string) broker.Message {
	return broker.Message{
		Room:     room,
		Position: broker.Position{Epoch: epoch, Offset: r.sequence, Tag: r.tag},
		Prev:     broker.PrevUnknown,
		Key:      r.key,
		From:     r.from,
		At:       r.at,
		Data:     r.data,
	}
}
