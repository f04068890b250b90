package frame

import "strconv"

// An Opcode says what a frame carries (RFC 6455 section 5.2).
type Opcode byte

// The opcodes in use (RFC 6455 section 11.8). All others are reserved, and a
// frame that bears one fails the connection.
const (
	Continuation Opcode = 0x0 // the next fragment of a Text or Binary message
	Text         Opcode = 0x1 // UTF-8
	Binary       Opcode = 0x2 // bytes
	Close        Opcode = 0x8 // the last frame of its sender
	Ping         Opcode = 0x9 // to be answered by a Pong with the same payload
	Pong         Opcode = 0xA // the answer to a Ping, or an unasked sign of life
)

// IsControl reports whether o has the bit of a control frame, the reserved
// control opcodes 0xB to 0xF included (RFC 6455 section 5.5).
func (o Opcode) IsControl() bool { return o&0x8 != 0 }

// String names the opcode in lower case; a reserved one is shown by number.
func (o Opcode) String() string {
	switch o {
	case Continuation:
		return "continuation"
	case Text:
		return "text"
	case Binary:
		return "binary"
	case Close:
		return "close"
	case Ping:
		return "ping"
	case Pong:
		return "pong"
	}
	return "opcode 0x" + strconv.FormatUint(uint64(o), 16)
}
