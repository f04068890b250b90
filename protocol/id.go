package protocol

import (
	"strconv"
	"unicode/utf8"
)

// MaxIDBytes is the length of the longest id that is a string, in bytes of
// UTF-8.
const MaxIDBytes = 128

// ID pairs a message with its answer: a JSON string or a JSON integer, chosen
// by whoever asks and given back unchanged. 7 and "7" are two ids. The zero ID
// means that there is none. IDs are comparable by value, however the string was
// escaped on the wire, and may be keys of a map.
type ID struct {
	raw string // the JSON token in its one spelling: see StringID, IntID
}

// StringID is the ID that travels as the JSON string s. The other end refuses
// an id of more than [MaxIDBytes] bytes; text that is not valid UTF-8 is mended
// with U+FFFD.
func StringID(s string) ID {
	return ID{raw: string(appendString(make([]byte, 0, len(s)+2), s))}
}

// IntID is the ID that travels as the JSON integer n. Browsers keep integers
// exact only up to 2^53.
func IntID(n int64) ID {
	return ID{raw: strconv.FormatInt(n, 10)}
}

// IsZero reports whether there is no id.
func (id ID) IsZero() bool { return id.raw == "" }

// String returns the string's value or the integer's digits, and "" for the
// zero ID. It is for logs and for people: it does not tell 7 from "7".
func (id ID) String() string {
	if id.raw == "" || id.raw[0] != '"' {
		return id.raw
	}
	inner := id.raw[1 : len(id.raw)-1]
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' {
			b, _ := unescape(make([]byte, 0, len(inner)), []byte(inner))
			return string(b)
		}
	}
	return inner
}

// parseID reads a valid JSON token. It fails for what is neither a string nor
// an integer, for what is out of bounds, and for a string that could not be
// given back unchanged because it is no valid Unicode text.
func parseID(token []byte, escaped bool) (ID, bool) {
	if token[0] != '"' {
		n, ok := parseInt(token)
		if !ok {
			return ID{}, false
		}
		if n == 0 { // -0 is 0
			return ID{raw: "0"}, true
		}
		return ID{raw: string(token)}, true
	}
	inner := token[1 : len(token)-1]
	if !escaped {
		if len(inner) > MaxIDBytes || !utf8.Valid(inner) {
			return ID{}, false
		}
		return ID{raw: string(token)}, true
	}
	var room [MaxIDBytes]byte
	value, exact := unescape(room[:0], inner)
	if !exact || len(value) > MaxIDBytes {
		return ID{}, false
	}
	return StringID(string(value)), true
}

// parseInt reads a valid JSON token that is an integer within int64: no
// fraction and no exponent, even where the value would be whole.
func parseInt(token []byte) (int64, bool) {
	if len(token) > len("-9223372036854775808") {
		return 0, false
	}
	n, err := strconv.ParseInt(string(token), 10, 64)
	return n, err == nil
}
