package frame

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxControl is the longest payload of a control frame in bytes (RFC 6455
// section 5.5).
const MaxControl = 125

// MaxHeader is the longest header in bytes: two fixed, eight of length, four
// of masking key (RFC 6455 section 5.2).
const MaxHeader = 14

// maxUnmasked is the longest header of a server's frame.
const maxUnmasked = MaxHeader - 4

const (
	finBit     = 0x80
	rsv1Bit    = 0x40
	rsv2Bit    = 0x20
	rsv3Bit    = 0x10
	opcodeBits = 0x0F

	maskBit    = 0x80
	lengthBits = 0x7F
	length16   = 126 // the length follows in two bytes
	length64   = 127 // the length follows in eight bytes
)

// A Header is what stands before a frame's payload (RFC 6455 section 5.2).
type Header struct {
	Fin              bool // the last frame of its message
	RSV1, RSV2, RSV3 bool // for extensions; RSV1 marks a compressed message (RFC 7692 section 6)
	Opcode           Opcode
	Masked           bool
	Key              [4]byte // the masking key; zero unless Masked
	Length           int64   // of the payload in bytes
}

// AppendHeader appends h to b, with the length in its shortest form, and
// returns the result. It writes what it is told: a header that breaks the
// rules of a role or an extension is the caller's to avoid. Only the low four
// bits of the opcode travel. A negative length panics.
func AppendHeader(b []byte, h Header) []byte {
	if h.Length < 0 {
		panic("frame: negative payload length")
	}
	b0 := byte(h.Opcode) & opcodeBits
	if h.Fin {
		b0 |= finBit
	}
	if h.RSV1 {
		b0 |= rsv1Bit
	}
	if h.RSV2 {
		b0 |= rsv2Bit
	}
	if h.RSV3 {
		b0 |= rsv3Bit
	}
	var b1 byte
	if h.Masked {
		b1 = maskBit
	}
	b = appendFixed(b, b0, b1, uint64(h.Length))
	if h.Masked {
		b = append(b, h.Key[:]...)
	}
	return b
}

// appendFixed appends the two fixed bytes and the length; b1 holds the mask
// bit alone.
func appendFixed(b []byte, b0, b1 byte, length uint64) []byte {
	switch {
	case length < length16:
		return append(b, b0, b1|byte(length))
	case length <= math.MaxUint16:
		return append(b, b0, b1|length16, byte(length>>8), byte(length))
	}
	b = append(b, b0, b1|length64)
	return binary.BigEndian.AppendUint64(b, length)
}

// ParseHeader reads a header from the front of b and returns it with its size
// in bytes. If b ends before the header does, n is 0 and err is nil: call again
// with more. A length that is not in its shortest form, or whose 64-bit form
// has the top bit set, is an *Error 1002. Whether the frame is allowed where it
// stands is not asked here; the Parser does.
func ParseHeader(b []byte) (h Header, n int, err error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	n = headerSize(b[1])
	if len(b) < n {
		return h, 0, nil
	}
	length, bad := payloadLength(b)
	if bad != nil {
		return h, 0, bad
	}
	b0 := b[0]
	h.Fin = b0&finBit != 0
	h.RSV1 = b0&rsv1Bit != 0
	h.RSV2 = b0&rsv2Bit != 0
	h.RSV3 = b0&rsv3Bit != 0
	h.Opcode = Opcode(b0 & opcodeBits)
	h.Length = length
	if b[1]&maskBit != 0 {
		h.Masked = true
		h.Key = [4]byte(b[n-4 : n])
	}
	return h, n, nil
}

// headerSize tells the size of a header from its second byte.
func headerSize(b1 byte) int {
	n := 2
	switch b1 & lengthBits {
	case length16:
		n += 2
	case length64:
		n += 8
	}
	if b1&maskBit != 0 {
		n += 4
	}
	return n
}

// payloadLength reads the length from b, which holds a whole header.
func payloadLength(b []byte) (int64, *Error) {
	switch short := b[1] & lengthBits; short {
	case length16:
		n := int64(b[2])<<8 | int64(b[3])
		if n < length16 {
			return 0, errLength
		}
		return n, nil
	case length64:
		n := binary.BigEndian.Uint64(b[2:])
		if n > math.MaxInt64 {
			return 0, errLengthRange
		}
		if n <= math.MaxUint16 {
			return 0, errLength
		}
		return int64(n), nil
	default:
		return int64(short), nil
	}
}

// AppendFrame appends one whole unmasked frame, as a server sends it (RFC 6455
// section 5.1), and returns the result. A control frame with a payload longer
// than MaxControl panics: it must never be sent.
func AppendFrame(b []byte, op Opcode, payload []byte) []byte {
	checkControl(op, len(payload))
	return appendWhole(b, op, payload)
}

// AppendText appends one whole unmasked text frame, as AppendFrame does. The frame
// holds valid UTF-8 whatever the text does (RFC 6455 section 5.6): what is not takes
// U+FFFD's place.
func AppendText(b []byte, text string) []byte {
	if !utf8.ValidString(text) { // asked first: ToValidUTF8 reads good text ten times slower
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return appendWhole(b, Text, text)
}

func appendWhole[P []byte | string](b []byte, op Opcode, payload P) []byte {
	b = slices.Grow(b, maxUnmasked+len(payload)) // once, not for the header and again
	b = appendFixed(b, finBit|byte(op)&opcodeBits, 0, uint64(len(payload)))
	return append(b, payload...)
}

// AppendMasked appends one whole masked frame, as a client sends it (RFC 6455
// section 5.1), and returns the result. The payload is copied, then masked; the
// original is left as it was. The key must be new and unpredictable for each
// frame (section 5.3). A control frame with a payload longer than MaxControl
// panics: it must never be sent.
func AppendMasked(b []byte, op Opcode, payload []byte, key [4]byte) []byte {
	checkControl(op, len(payload))
	b = appendFixed(b, finBit|byte(op)&opcodeBits, maskBit, uint64(len(payload)))
	b = append(b, key[:]...)
	start := len(b)
	b = append(b, payload...)
	Mask(b[start:], key, 0)
	return b
}

func checkControl(op Opcode, length int) {
	if op.IsControl() && length > MaxControl {
		panic("frame: " + op.String() + " payload longer than 125 bytes")
	}
}
