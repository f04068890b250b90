package protocol

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// Version is the version of the wire that this package speaks.
const Version = 1

// Envelope is one message on the wire. The zero value of each field means that
// the field is absent. It is a plain value: not safe for concurrent writing.
type Envelope struct {
	Path      string          // the event's name
	ID        ID              // an answer is asked for
	Reply     ID              // this answers the message with that id
	Status    int             // as in HTTP; see the Status constants
	Timestamp int64           // Unix milliseconds, when the server wrote it
	Data      json.RawMessage // must be valid JSON; nil is written as null unless Error is set
	Error     *Error          // why a request failed
	Room      string          // the room that it was sent to
	Position  string          // where in the room's history it stands
	To        string          // [ToUser] or [ToEveryone]: recorded there, and not in a room
	From      string          // the user or socket that published it
	Key       string          // the key that it was published with
	Client    string          // the id of the socket that receives it
	Language  string          // the language that the server chose for that socket
}

// What the field to may say.
const (
	ToUser     = "user"     // recorded for the user who receives it
	ToEveryone = "everyone" // recorded for all
)

// Error is the error of an answer, written for the client: Code is for
// programs, Message for people.
type Error struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Append appends e to b as one JSON object and returns the extended buffer.
// Fields come in a fixed order and absent ones are left out; only path is
// always there, and data unless there is an error. Text that is not valid UTF-8
// is mended with U+FFFD, as a text frame must be UTF-8 (RFC 6455 section 5.6).
// Data is trusted to be valid JSON: take it from [Marshal].
func Append(b []byte, e *Envelope) []byte {
	b = appendFields(b, e)
	if e.Error == nil || len(e.Data) > 0 {
		b = append(b, `,"data":`...)
		if len(e.Data) > 0 {
			b = append(b, e.Data...)
		} else {
			b = append(b, "null"...)
		}
	}
	return appendEnd(b, e)
}

// appendFields writes what stands before data, without the closing brace.
func appendFields(b []byte, e *Envelope) []byte {
	b = append(b, `{"path":`...)
	b = appendString(b, e.Path)
	if e.Status != 0 {
		b = append(b, `,"status":`...)
		b = strconv.AppendInt(b, int64(e.Status), 10)
	}
	if e.Timestamp != 0 {
		b = append(b, `,"timestamp":`...)
		b = strconv.AppendInt(b, e.Timestamp, 10)
	}
	if !e.ID.IsZero() {
		b = append(b, `,"id":`...)
		b = append(b, e.ID.raw...)
	}
	if !e.Reply.IsZero() {
		b = append(b, `,"reply":`...)
		b = append(b, e.Reply.raw...)
	}
	b = appendMember(b, `,"room":`, e.Room)
	b = appendMember(b, `,"to":`, e.To)
	b = appendMember(b, `,"position":`, e.Position)
	b = appendMember(b, `,"from":`, e.From)
	b = appendMember(b, `,"key":`, e.Key)
	b = appendMember(b, `,"client":`, e.Client)
	return appendMember(b, `,"language":`, e.Language)
}

// appendEnd writes what stands after data and the closing brace.
func appendEnd(b []byte, e *Envelope) []byte {
	if e.Error != nil {
		b = append(b, `,"error":{"code":`...)
		b = appendString(b, e.Error.Code)
		b = append(b, `,"message":`...)
		b = appendString(b, e.Error.Message)
		b = append(b, '}')
	}
	return append(b, '}')
}

func appendMember(b []byte, name, value string) []byte {
	if value == "" {
		return b
	}
	return appendString(append(b, name...), value)
}

// appendString writes s as a JSON string, escaping only what RFC 8259 section 7
// requires.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	plain := 0 // s[plain:i] needs no escape and is not yet written
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			b = append(b, s[plain:i]...)
			switch c {
			case '"', '\\':
				b = append(b, '\\', c)
			case '\n':
				b = append(b, '\\', 'n')
			case '\r':
				b = append(b, '\\', 'r')
			case '\t':
				b = append(b, '\\', 't')
			default:
				b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			plain = i
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[plain:i]...)
			b = append(b, "\uFFFD"...)
			plain = i + 1
		}
		i += size
	}
	b = append(b, s[plain:]...)
	return append(b, '"')
}
