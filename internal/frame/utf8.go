package frame

import "unicode/utf8"

// UTF8 checks text that arrives in pieces, split anywhere. It refuses what
// RFC 3629 refuses: overlong forms, surrogates, runes beyond U+10FFFF and
// whatever is cut short. The zero value is ready; one goroutine at a time may
// use it. It keeps no bytes.
type UTF8 struct {
	need   uint8 // bytes that the open rune still lacks
	lo, hi uint8 // what its next byte may be, while need > 0
	bad    bool
}

// Write takes the next piece and reports whether all so far can still become
// valid text. It says no at the earliest byte that decides it, and stays with
// that. It does not keep p.
func (u *UTF8) Write(p []byte) bool {
	if u.bad {
		return false
	}
	i := 0
	for ; u.need > 0 && i < len(p); i++ {
		if !u.step(p[i]) {
			return false
		}
	}
	p = p[i:]
	// Whole runes go to the standard library, which strides over ASCII; a rune that p leaves open is
	// followed byte by byte.
	cut := openRune(p)
	if !utf8.Valid(p[:cut]) {
		u.bad = true
		return false
	}
	for _, c := range p[cut:] {
		if !u.step(c) {
			return false
		}
	}
	return true
}

// Done reports whether the text may end here: all valid and no rune open.
func (u *UTF8) Done() bool { return !u.bad && u.need == 0 }

// step takes one byte. The first bytes and the narrower ranges that some of
// them impose on the second are those of RFC 3629 section 4.
func (u *UTF8) step(c byte) bool {
	if u.need > 0 {
		if c < u.lo || c > u.hi {
			u.bad = true
			return false
		}
		u.need--
		u.lo, u.hi = 0x80, 0xBF
		return true
	}
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case c < 0x80:
	case c >= 0xC2 && c <= 0xDF:
		u.need = 1
	case c >= 0xE0 && c <= 0xEF:
		u.need = 2
		if c == 0xE0 {
			u.lo = 0xA0 // below: overlong
		} else if c == 0xED {
			u.hi = 0x9F // above: surrogates
		}
	case c >= 0xF0 && c <= 0xF4:
		u.need = 3
		if c == 0xF0 {
			u.lo = 0x90 // below: overlong
		} else if c == 0xF4 {
			u.hi = 0x8F // above: beyond U+10FFFF
		}
	default:
		u.bad = true
		return false
	}
	return true
}

// openRune returns where the rune begins that p ends inside of, or len(p).
func openRune(p []byte) int {
	for back := 1; back < utf8.UTFMax && back <= len(p); back++ {
		c := p[len(p)-back]
		if !utf8.RuneStart(c) {
			continue
		}
		if c >= 0xF0 || c >= 0xE0 && back < 3 || c >= 0xC0 && back < 2 {
			return len(p) - back
		}
		break
	}
	return len(p)
}
