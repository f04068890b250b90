package frame

import (
	"math"
	"unsafe"
)

// A Config is what parsers of one kind have in common. Many parsers share one;
// it must not change while any of them is in use.
type Config struct {
	// Client says that this side is the client: frames from the peer must not be
	// masked. Zero is the server: they must be (RFC 6455 section 5.1).
	Client bool

	// MaxMessage bounds one message in bytes, all fragments together and as they
	// travel, so before inflating. Beyond it the error is 1009, and comes with
	// the header that promises too much, before the payload. Control frames do
	// not count. Zero or negative is no limit.
	MaxMessage int

	// Deflate says that permessage-deflate was negotiated: RSV1 may be set on the
	// first frame of a data message (RFC 7692 section 6).
	Deflate bool
}

// An Event is one thing that the peer said: a whole message or a control frame.
type Event struct {
	// Opcode is Text, Binary, Close, Ping or Pong. Zero (Continuation) means that
	// nothing is complete yet.
	Opcode Opcode

	// Payload is unmasked and, for Text, valid UTF-8 unless Compressed is set.
	// For Close it holds the code and the reason as they travelled.
	Payload []byte

	// Owned says that Payload is the caller's to keep and to change. Otherwise it
	// is a part of the bytes given to Next and lives only as long as they do; to
	// append to it never writes into them.
	Owned bool

	// Compressed says that RSV1 was set: Payload must be inflated, and what comes
	// out of a Text be checked as UTF-8.
	Compressed bool

	Code   int    // Close only: the peer's code, 1005 if it gave none
	Reason string // Close only: a copy
}

// A Parser turns the bytes of one peer into events. The zero value is ready.
// One goroutine at a time may use it. Between messages it is a nil pointer and
// holds no memory.
type Parser struct {
	part *part // nil at rest
}

// part is what a parser knows while it is not at rest.
type part struct {
	err *Error // what it failed with

	// The data message under way.
	buf        []byte // its payload so far
	message    Opcode // Text or Binary; 0 outside a message
	compressed bool
	text       UTF8

	// The frame under way; a control frame may stand between the fragments of a
	// message, so it has a buffer of its own.
	framed  bool // its header is complete
	fin     bool
	opcode  Opcode
	headLen uint8
	head    [MaxHeader]byte // its header as far as it came in pieces
	key     [4]byte
	size    int64 // of its payload
	left    int64 // what is still to come of it
	control []byte
}

// closed is the part of every parser that has seen a close frame. It is never
// written to.
var closed = new(part)

// minGrow is the smallest buffer for a part, unless the frame is shorter: a
// message that trickles in should not be moved at each of its first bytes.
const minGrow = 512

// Next consumes some of b and returns at most one event and the number of bytes
// consumed; call it until b is empty. b is unmasked in place. A frame that is no
// fragment and whose payload lies whole within b is returned as a part of b,
// without a copy; anything else gathers in memory of the parser, which grows
// with the bytes that arrive and not with the length that was promised.
//
// An error is an *Error and final: n is 0, and each later call returns the same
// error. After a Close event all bytes are consumed and ignored (RFC 6455
// section 5.5.1).
func (p *Parser) Next(c *Config, b []byte) (ev Event, n int, err error) {
	if p.part != nil || len(b) < 2 {
		return p.gather(c, b)
	}
	// The common case: nothing is open and b begins with a whole frame. Whatever
	// does not fit, errors included, is left to gather.
	b0, b1 := b[0], b[1]
	if b0&finBit == 0 || c.refuse(b0, b1, false) != nil {
		return p.gather(c, b)
	}
	n = headerSize(b1)
	if len(b) < n {
		return p.gather(c, b)
	}
	length, bad := payloadLength(b)
	if bad != nil || length > int64(len(b)-n) || length > c.limit() {
		return p.gather(c, b)
	}
	end := n + int(length)
	payload := b[n:end:end]
	if !c.Client {
		Mask(payload, [4]byte(b[n-4:n]), 0)
	}
	ev.Opcode = Opcode(b0 & opcodeBits)
	ev.Payload = payload
	switch ev.Opcode {
	case Text:
		if ev.Compressed = b0&rsv1Bit != 0; !ev.Compressed && !validText(payload) {
			return p.fail(errText)
		}
	case Binary:
		ev.Compressed = b0&rsv1Bit != 0
	case Close:
		ev.Code, ev.Reason, err = ParseClose(payload)
		if err != nil {
			return p.fail(err.(*Error))
		}
		p.part = closed
	}
	return ev, end, nil
}

// gather is Next for whatever is not one whole frame in one piece.
func (p *Parser) gather(c *Config, b []byte) (Event, int, error) {
	s := p.part
	switch {
	case s == closed:
		return Event{}, len(b), nil
	case s != nil && s.err != nil:
		return Event{}, 0, s.err
	case len(b) == 0:
		return Event{}, 0, nil
	case s == nil:
		s = new(part)
		p.part = s
	}
	n := 0
	for n < len(b) {
		if !s.framed {
			k, bad := s.readHeader(c, b[n:])
			if bad != nil {
				return p.fail(bad)
			}
			n += k
			if !s.framed {
				break
			}
		}
		// From here on even if n == len(b): an empty payload is complete already.
		chunk := b[n:]
		if int64(len(chunk)) > s.left {
			chunk = chunk[:s.left]
		}
		n += len(chunk)
		if !c.Client {
			Mask(chunk, s.key, int((s.size-s.left)&3))
		}
		s.left -= int64(len(chunk))
		var ev Event
		var err error
		if s.opcode.IsControl() {
			ev, err = p.takeControl(s, chunk)
		} else {
			ev, err = p.takeData(c, s, chunk)
		}
		if err != nil {
			return p.fail(err.(*Error))
		}
		if ev.Opcode != 0 {
			return ev, n, nil
		}
	}
	return Event{}, n, nil
}

// takeControl takes a piece of a control frame, already unmasked.
func (p *Parser) takeControl(s *part, chunk []byte) (ev Event, err error) {
	whole := s.control == nil && s.left == 0
	if !whole {
		if s.control == nil {
			s.control = make([]byte, 0, s.size) // 125 bytes at most
		}
		s.control = append(s.control, chunk...)
		if s.left > 0 {
			return ev, nil
		}
		chunk = s.control
	}
	ev = Event{Opcode: s.opcode, Payload: chunk[:len(chunk):len(chunk)], Owned: !whole}
	if ev.Opcode == Close {
		if ev.Code, ev.Reason, err = ParseClose(chunk); err != nil {
			return Event{}, err
		}
		p.part = closed
		return ev, nil
	}
	s.control = nil
	s.framed = false
	if s.message == 0 {
		p.part = nil
	}
	return ev, nil
}

// takeData takes a piece of a data frame, already unmasked.
func (p *Parser) takeData(c *Config, s *part, chunk []byte) (ev Event, err error) {
	check := s.message == Text && !s.compressed
	if check && !s.text.Write(chunk) {
		return ev, errText
	}
	last := s.fin && s.left == 0
	if last && check && !s.text.Done() {
		return ev, errText
	}
	// A message whose bytes all lie here needs no copy, even if its header came
	// in pieces or empty fragments went before.
	whole := last && len(s.buf) == 0
	if !whole {
		s.keep(c, chunk)
		chunk = s.buf
	}
	if s.left > 0 {
		return ev, nil
	}
	s.framed = false
	if !s.fin {
		return ev, nil
	}
	p.part = nil
	return Event{
		Opcode:     s.message,
		Payload:    chunk[:len(chunk):len(chunk)],
		Owned:      !whole,
		Compressed: s.compressed,
	}, nil
}

// keep adds a piece to the message. The buffer doubles, so that many small
// pieces cost no more than their sum, but never holds room for more than the
// message can still become.
func (s *part) keep(c *Config, chunk []byte) {
	need := len(s.buf) + len(chunk)
	if need > cap(s.buf) {
		most := int64(need) + s.left
		if !s.fin && len(s.buf) > 0 {
			// More fragments follow and their sum is not known yet.
			most = max(most, c.limit())
		}
		size := min(max(2*int64(need), minGrow), most)
		grown := make([]byte, len(s.buf), size)
		copy(grown, s.buf)
		s.buf = grown
	}
	s.buf = append(s.buf, chunk...)
}

// readHeader takes bytes of a header, up to its end, and returns how many. What
// the first two bytes decide is refused before the others are there.
func (s *part) readHeader(c *Config, b []byte) (int, *Error) {
	n := 0
	if s.headLen < 2 {
		n = s.takeHead(b, 2)
		if s.headLen < 2 {
			return n, nil
		}
		if bad := c.refuse(s.head[0], s.head[1], s.message != 0); bad != nil {
			return 0, bad
		}
	}
	size := headerSize(s.head[1])
	n += s.takeHead(b[n:], size)
	if int(s.headLen) < size {
		return n, nil
	}
	return n, s.begin(c)
}

// takeHead fills the header up to size and returns how many bytes it took.
func (s *part) takeHead(b []byte, size int) int {
	n := copy(s.head[s.headLen:size], b)
	s.headLen += uint8(n)
	return n
}

// begin opens the frame whose header is complete and not refused.
func (s *part) begin(c *Config) *Error {
	head := s.head[:s.headLen]
	length, bad := payloadLength(head)
	if bad != nil {
		return bad
	}
	opcode := Opcode(head[0] & opcodeBits)
	if !opcode.IsControl() && length > c.limit()-int64(len(s.buf)) {
		return errTooBig
	}
	if opcode == Text || opcode == Binary {
		s.message = opcode
		s.compressed = head[0]&rsv1Bit != 0
	}
	s.opcode = opcode
	s.fin = head[0]&finBit != 0
	s.size, s.left = length, length
	if head[1]&maskBit != 0 {
		s.key = [4]byte(head[len(head)-4:])
	}
	s.headLen = 0
	s.framed = true
	return nil
}

// refuse tells what forbids a frame with these first two bytes, or nil.
func (c *Config) refuse(b0, b1 byte, inMessage bool) *Error {
	opcode := Opcode(b0 & opcodeBits)
	if b0&(rsv1Bit|rsv2Bit|rsv3Bit) != 0 {
		// Only RSV1 has a meaning, and only where a message begins (RFC 7692
		// section 6).
		if b0&(rsv2Bit|rsv3Bit) != 0 || !c.Deflate || opcode != Text && opcode != Binary {
			return errReservedBit
		}
	}
	switch opcode {
	case Text, Binary:
		if inMessage {
			return errInMessage
		}
	case Continuation:
		if !inMessage {
			return errNoMessage
		}
	case Close, Ping, Pong:
		if b0&finBit == 0 {
			return errControlFragmented
		}
		if b1&lengthBits > MaxControl {
			return errControlLength
		}
	default:
		return errReservedOpcode
	}
	if masked := b1&maskBit != 0; masked == c.Client {
		if masked {
			return errMasked
		}
		return errNotMasked
	}
	return nil
}

// limit is MaxMessage, or all that memory can address.
func (c *Config) limit() int64 {
	if c.MaxMessage > 0 {
		return int64(c.MaxMessage)
	}
	return math.MaxInt
}

// fail ends the parser with bad and lets go of what it held.
func (p *Parser) fail(bad *Error) (Event, int, error) {
	p.part = &part{err: bad}
	return Event{}, 0, bad
}

// Partial reports whether the parser stands in the middle of a frame or of a
// fragmented message, so that a deadline should run. It is false once the
// parser has failed or seen a close frame.
func (p *Parser) Partial() bool {
	return p.part != nil && p.part != closed && p.part.err == nil
}

// Buffered returns the bytes of memory that the parser holds, its notes
// included: zero at rest, at most about twice what arrived of the message plus
// a constant.
func (p *Parser) Buffered() int {
	if !p.Partial() {
		return 0
	}
	return int(unsafe.Sizeof(part{})) + cap(p.part.buf) + cap(p.part.control)
}
