package wire

import (
	"bytes"
	"fmt"
	"time"
)

// DataBytes is how long the data of every message is, in JSON.
const DataBytes = 200

// A Note is what a message of the load carries: when it was due, and which of its
// room it is, counted from one.
type Note struct {
	At     time.Time
	Number int
	Room   int
}

// All fields have a fixed width, so that a reader finds them without parsing JSON.
const (
	noteBegins = `{"at":`
	noteFormat = noteBegins + `%019d,"n":1%09d,"r":1%06d,"pad":"`
	numberAt   = len(noteBegins) + 19 + len(`,"n":1`)
	roomAt     = numberAt + 9 + len(`,"r":1`)
	noteLength = roomAt + 6
)

// Data writes a message's data: the note, and padding up to DataBytes.
func (n Note) Data() []byte {
	b := make([]byte, 0, DataBytes)
	b = fmt.Appendf(b, noteFormat, n.At.UnixNano(), n.Number, n.Room)
	for len(b) < DataBytes-2 {
		b = append(b, 'x')
	}
	return append(b, `"}`...)
}

// EachNote finds the notes in what a socket has read, in order.
func EachNote(payload []byte, take func(Note)) {
	for {
		i := bytes.Index(payload, []byte(noteBegins))
		if i < 0 || len(payload) < i+noteLength {
			return
		}
		payload = payload[i:]
		at, ok1 := wholeNumber(payload[len(noteBegins) : len(noteBegins)+19])
		number, ok2 := wholeNumber(payload[numberAt : numberAt+9])
		room, ok3 := wholeNumber(payload[roomAt : roomAt+6])
		if ok1 && ok2 && ok3 {
			take(Note{time.Unix(0, at), int(number), int(room)})
		}
		payload = payload[noteLength:]
	}
}

// wholeNumber reads at most 19 digits, and nothing else.
func wholeNumber(digits []byte) (n int64, ok bool) {
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, n >= 0
}
