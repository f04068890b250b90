package protocol

import (
	"encoding/binary"
	"math/bits"
)

// scanner walks over JSON text (RFC 8259) and accepts exactly what
// encoding/json.Valid accepts, to any depth: nesting costs one bit a level and
// no recursion.
type scanner struct {
	text     []byte
	pos      int
	deepest  int // the deepest nesting seen within one call of skip
	maxDepth int
}

// token is one value of the text, without the whitespace around it.
type token struct {
	start, end int
	escaped    bool // a string that holds a backslash
}

// peek returns the byte at hand, or 0 at the end: outside a string no JSON
// holds a byte 0.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

func (s *scanner) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// value reads one value of any kind.
func (s *scanner) value() (t token, ok bool) {
	t.start = s.pos
	switch s.peek() {
	case '"':
		t.escaped, ok = s.str()
	case '{', '[':
		ok = s.skip()
	default:
		ok = s.scalar()
	}
	t.end = s.pos
	return t, ok
}

// nesting remembers for each open bracket whether it is an object's.
type nesting struct {
	depth int
	word  uint64 // the innermost levels, the last in bit 0
	outer []uint64
}

func (n *nesting) push(object uint64) {
	if n.depth > 0 && n.depth%64 == 0 {
		n.outer = append(n.outer, n.word)
	}
	n.word = n.word<<1 | object
	n.depth++
}

func (n *nesting) pop() {
	n.word >>= 1
	n.depth--
	if n.depth > 0 && n.depth%64 == 0 {
		n.word = n.outer[len(n.outer)-1]
		n.outer = n.outer[:len(n.outer)-1]
	}
}

func (n *nesting) inObject() bool { return n.word&1 == 1 }

// skip passes over one value with all that is within.
func (s *scanner) skip() bool {
	var n nesting
	for {
		switch s.peek() {
		case '{':
			n.push(1)
			s.deepest = max(s.deepest, n.depth)
			s.pos++
			s.space()
			if s.peek() != '}' {
				if !s.key() {
					return false
				}
				continue
			}
			s.pos++
			n.pop()
		case '[':
			n.push(0)
			s.deepest = max(s.deepest, n.depth)
			s.pos++
			s.space()
			if s.peek() != ']' {
				continue
			}
			s.pos++
			n.pop()
		default:
			if !s.scalar() {
				return false
			}
		}
		if done, ok := s.after(&n); done || !ok {
			return ok
		}
	}
}

// after stands behind a value within skip: it closes what closes here and goes
// on to the next value. done is true when nothing is open any more.
func (s *scanner) after(n *nesting) (done, ok bool) {
	for n.depth > 0 {
		s.space()
		c := s.peek()
		object := n.inObject()
		switch {
		case c == ',':
			s.pos++
			s.space()
			return false, !object || s.key()
		case object && c == '}', !object && c == ']':
			s.pos++
			n.pop()
		default:
			return false, false
		}
	}
	return true, true
}

// key passes over a member's name, its colon and the whitespace around that.
func (s *scanner) key() bool {
	if s.peek() != '"' {
		return false
	}
	if _, ok := s.str(); !ok {
		return false
	}
	return s.colon()
}

func (s *scanner) colon() bool {
	s.space()
	if s.peek() != ':' {
		return false
	}
	s.pos++
	s.space()
	return true
}

func (s *scanner) scalar() bool {
	switch c := s.peek(); c {
	case '"':
		_, ok := s.str()
		return ok
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) bool {
	if len(s.text)-s.pos < len(word) || string(s.text[s.pos:s.pos+len(word)]) != word {
		return false
	}
	s.pos += len(word)
	return true
}

func (s *scanner) number() bool {
	if s.peek() == '-' {
		s.pos++
	}
	if s.peek() == '0' {
		s.pos++
	} else if !s.digits() {
		return false
	}
	if s.peek() == '.' {
		s.pos++
		if !s.digits() {
			return false
		}
	}
	if c := s.peek(); c == 'e' || c == 'E' {
		s.pos++
		if c := s.peek(); c == '+' || c == '-' {
			s.pos++
		}
		return s.digits()
	}
	return true
}

// digits passes over at least one digit.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && s.text[s.pos]-'0' <= 9 {
		s.pos++
	}
	return s.pos > start
}

// str passes over a string that begins at hand.
func (s *scanner) str() (escaped, ok bool) {
	text := s.text
	i := s.pos + 1
	for {
		i = plain(text, i)
		if i >= len(text) {
			return escaped, false
		}
		switch text[i] {
		case '"':
			s.pos = i + 1
			return escaped, true
		case '\\':
			escaped = true
			n := escape(text[i:])
			if n == 0 {
				return escaped, false
			}
			i += n
		default: // a control character
			return escaped, false
		}
	}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// plain returns the first index from i on whose byte is a quote, a backslash or
// a control character, or len(text). It looks at eight bytes at a time: in each
// expression the lowest high bit that is set marks the first byte that matches.
func plain(text []byte, i int) int {
	for ; i+8 <= len(text); i += 8 {
		w := binary.LittleEndian.Uint64(text[i:])
		quote := w ^ ones*'"'
		slash := w ^ ones*'\\'
		hit := ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
		if hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for i < len(text) {
		if c := text[i]; c == '"' || c == '\\' || c < ' ' {
			break
		}
		i++
	}
	return i
}

// escape returns the length of the escape at the beginning of b, or 0 if it is
// none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b); ok {
			return 6
		}
	}
	return 0
}
