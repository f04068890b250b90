package protocol

import (
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// AppendBinary appends a binary message to b and returns the extended buffer:
// the length of the envelope in four bytes, most significant first, the
// envelope as JSON without data, and the payload. Data is not written: the
// payload is the message's data.
func AppendBinary(b []byte, e *Envelope, payload []byte) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = appendEnd(appendFields(b, e), e)
	binary.BigEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return append(b, payload...)
}

// ParseBinary reads what [AppendBinary] writes. The payload aliases frame and
// is empty, not nil, when there are no bytes. The error is always a
// [*ParseError]: with code bad_binary if the frame is too short, its envelope
// is no JSON object in UTF-8, or the envelope has data of its own; otherwise as
// from [Parse].
func ParseBinary(frame []byte, o ParseOptions) (e Envelope, payload []byte, err error) {
	if len(frame) < 4 {
		return Envelope{}, nil, badBinary("a binary message begins with the length of its envelope in four bytes")
	}
	n := binary.BigEndian.Uint32(frame)
	rest := frame[4:]
	if uint64(n) > uint64(len(rest)) {
		return Envelope{}, nil, badBinary("the envelope is longer than the binary message")
	}
	text := rest[:n:n]
	if !utf8.Valid(text) {
		return Envelope{}, nil, badBinary("the envelope of a binary message is not UTF-8")
	}
	e, err = Parse(text, o)
	if errors.Is(err, ErrNotEnvelope) {
		return Envelope{}, nil, badBinary("the envelope of a binary message is not a JSON object")
	}
	if err != nil {
		return Envelope{}, nil, err
	}
	if e.Data != nil {
		bad := badBinary("the data of a binary message are its bytes: its envelope has none")
		bad.ID, bad.Reply, bad.Path = e.ID, e.Reply, e.Path
		return Envelope{}, nil, bad
	}
	return e, rest[n:len(rest):len(rest)], nil
}

func badBinary(message string) *ParseError {
	return &ParseError{Status: StatusBadRequest, Code: RefusalBadBinary, Message: message}
}
