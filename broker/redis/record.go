package redis

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"
	"unsafe"

	"github.com/finch-go/finch/broker"
)

// A message is stored and sent as one record, whose beginning the publish script
// makes and whose tail the publisher:
//
//	'm'                                       1 byte, the kind of the frame
//	epoch (8), offset (7), tag (8)            its place
//	tag of the message before                 8 bytes
//	when, in milliseconds since 1970          6 bytes
//	key, from                                 each a varint of its length and its bytes
//	data                                      the rest
//
// Numbers are big-endian. The scripts in scripts/ know these offsets too.
const (
	placeSize  = 8 + 7 + 8
	recordHead = 1 + placeSize + 8 + 6
)

// A head is stored as 44 bytes, which is the longest that Redis keeps together
// with its own header in one allocation of 64:
//
//	flags                                     1 byte; bit 0: squeezed
//	epoch (8), offset (7), tag (8)            the place of the last message
//	when, in milliseconds since 1970          6 bytes
//	size (3), age in milliseconds (5)         of the profile
//	when the oldest message kept was recorded 6 bytes, or earlier
const headSize = 1 + placeSize + 6 + 3 + 5 + 6

// Limits of what these fields hold.
const (
	maxSize = 1<<24 - 1
	maxAge  = (1<<40 - 1) * time.Millisecond
)

// maxOffset is the largest offset: scripts count in floating point.
const maxOffset = 1 << 53

var errBadRecord = errors.New("redis: not a record of this broker")

// rawEpoch is an epoch as it is stored. Its text is base64, 11 bytes long.
type rawEpoch [8]byte

func (e rawEpoch) String() string { return base64.RawURLEncoding.EncodeToString(e[:]) }

// A head is what is stored of where a room stands.
type head struct {
	position broker.Position
	at       time.Time
	size     int
	age      time.Duration
	// squeezed: the profile changed, and messages may have left for another
	// reason than the present one's size and age.
	squeezed bool
}

// parsePlace reads epoch, offset and tag.
func parsePlace(b string) broker.Position {
	return broker.Position{
		Epoch:  rawEpoch([]byte(b[:8])).String(),
		Offset: number(b[8:15]),
		Tag:    number(b[15:23]),
	}
}

// number reads a big-endian number of up to 8 bytes.
func number(b string) (n uint64) {
	for i := range len(b) {
		n = n<<8 | uint64(b[i])
	}
	return n
}

// appendNumber appends a number as so many bytes.
func appendNumber(b []byte, n int64, size int) []byte {
	for ; size > 0; size-- {
		b = append(b, byte(n>>(8*(size-1))))
	}
	return b
}

func moment(b string) time.Time { return time.UnixMilli(int64(number(b))) }

func parseHead(b string) (head, error) {
	if len(b) != headSize {
		return head{}, errBadRecord
	}
	h := head{
		position: parsePlace(b[1:]),
		size:     int(number(b[30:33])),
		age:      time.Duration(number(b[33:38])) * time.Millisecond,
		squeezed: b[0]&1 != 0,
	}
	if h.position.Tag != 0 {
		h.at = moment(b[24:30])
	}
	return h, nil
}

// emptyHead is the stored head of a room that has had no message.
func emptyHead(epoch rawEpoch) string {
	var b [headSize]byte
	copy(b[1:], epoch[:])
	return string(b[:])
}

// parseRecord reads a record of a room. The message shares b's bytes.
func parseRecord(room, b string) (broker.Message, error) {
	if len(b) < recordHead || b[0] != frameMessage {
		return broker.Message{}, errBadRecord
	}
	key, rest, ok := cutText(b[recordHead:])
	from, data, ok2 := cutText(rest)
	if !ok || !ok2 {
		return broker.Message{}, errBadRecord
	}
	m := broker.Message{
		Room:     room,
		Position: parsePlace(b[1:]),
		PrevTag:  number(b[24:32]),
		Key:      key,
		From:     from,
		At:       moment(b[32:38]),
		Data:     bytesOf(data),
	}
	if m.Position.Offset == 0 || m.Position.Tag == 0 {
		return broker.Message{}, errBadRecord
	}
	m.Prev = m.Position.Offset - 1
	return m, nil
}

// appendTail appends what the publisher says of a record.
func appendTail(b []byte, key, from string, data []byte) []byte {
	b = appendText(b, key)
	b = appendText(b, from)
	return append(b, data...)
}

func appendText(b []byte, text string) []byte {
	b = binary.AppendUvarint(b, uint64(len(text)))
	return append(b, text...)
}

// cutText cuts a text off that appendText appended.
func cutText(b string) (text, rest string, ok bool) {
	n, size := binary.Uvarint(bytesOf(b[:min(len(b), binary.MaxVarintLen64)]))
	if size <= 0 || n > uint64(len(b)-size) {
		return "", "", false
	}
	return b[size : size+int(n)], b[size+int(n):], true
}

// bytesOf and textOf look at the same bytes. That is allowed here because the
// bytes of a message are read-only from both sides: nobody changes what was
// handed to Publish, nor what is handed to a Sink.
func bytesOf(s string) []byte {
	if s == "" {
		return []byte{}
	}
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

func textOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
