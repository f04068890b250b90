package frame

import "encoding/binary"

// UTF8 checks text that arrives in pieces, split anywhere. It refuses what
// RFC 3629 refuses: overlong forms, surrogates, runes beyond U+10FFFF and
// whatever is cut short. The zero value is ready; one goroutine at a time may
// use it. It keeps no bytes.
//
// It is a state machine of its own and not a loop around unicode/utf8: it needs
// no look back at a split, and it does not branch on the length of each rune,
// which makes it twice as fast for text that mixes lengths, as Persian between
// spaces and JSON does (BenchmarkUTF8 compares).
type UTF8 struct {
	state uint8
}

// The states, as shifts into a row of utf8Rows. In all but the first a rune is
// open.
const (
	textWhole = 6 * iota // between runes; zero
	textNeed1            // one more byte, 80..BF
	textNeed2            // two more
	textNeed3            // three more
	textE0               // two more, A0..BF first: below is overlong
	textED               // two more, 80..9F first: above are surrogates
	textF0               // three more, 90..BF first: below is overlong
	textF4               // three more, 80..8F first: above is beyond U+10FFFF
	textBad              // for ever
)

// utf8Rows holds for each byte the next state for every state, six bits each: a
// row shifted by the state has the next one in its low six bits. So the load
// does not wait for the state, and a byte costs one shift.
var utf8Rows = func() (rows [256]uint64) {
	for c := range rows {
		for state := textWhole; state <= textBad; state += 6 {
			rows[c] |= uint64(nextText(state, byte(c))) << state
		}
	}
	return rows
}()

// nextText is the grammar of RFC 3629 section 4.
func nextText(state int, c byte) int {
	in := func(lo, hi byte, next int) int {
		if c < lo || c > hi {
			return textBad
		}
		return next
	}
	switch state {
	case textNeed1:
		return in(0x80, 0xBF, textWhole)
	case textNeed2:
		return in(0x80, 0xBF, textNeed1)
	case textNeed3:
		return in(0x80, 0xBF, textNeed2)
	case textE0:
		return in(0xA0, 0xBF, textNeed1)
	case textED:
		return in(0x80, 0x9F, textNeed1)
	case textF0:
		return in(0x90, 0xBF, textNeed2)
	case textF4:
		return in(0x80, 0x8F, textNeed2)
	case textBad:
		return textBad
	}
	switch {
	case c < 0x80:
		return textWhole
	case c < 0xC2: // inside a rune, or C0 and C1: overlong
		return textBad
	case c < 0xE0:
		return textNeed1
	case c == 0xE0:
		return textE0
	case c == 0xED:
		return textED
	case c < 0xF0:
		return textNeed2
	case c == 0xF0:
		return textF0
	case c < 0xF4:
		return textNeed3
	case c == 0xF4:
		return textF4
	}
	return textBad
}

// Write takes the next piece and reports whether all so far can still become
// valid text. It says no at the earliest byte that decides it, and stays with
// that. It does not keep p.
func (u *UTF8) Write(p []byte) bool {
	const high = 0x8080808080808080
	s := uint64(u.state) // its upper bits become rubbish; only the low six count
	for len(p) >= 8 {
		if s&63 == textWhole {
			for len(p) >= 32 {
				q := p[:32:32]
				if (binary.LittleEndian.Uint64(q)|binary.LittleEndian.Uint64(q[8:])|
					binary.LittleEndian.Uint64(q[16:])|binary.LittleEndian.Uint64(q[24:]))&high != 0 {
					break
				}
				p = p[32:]
			}
			if len(p) < 8 {
				break
			}
			if binary.LittleEndian.Uint64(p)&high == 0 {
				p = p[8:]
				continue
			}
		}
		q := p[:8:8]
		s = utf8Rows[q[0]] >> (s & 63)
		s = utf8Rows[q[1]] >> (s & 63)
		s = utf8Rows[q[2]] >> (s & 63)
		s = utf8Rows[q[3]] >> (s & 63)
		s = utf8Rows[q[4]] >> (s & 63)
		s = utf8Rows[q[5]] >> (s & 63)
		s = utf8Rows[q[6]] >> (s & 63)
		s = utf8Rows[q[7]] >> (s & 63)
		p = p[8:]
	}
	for _, c := range p {
		s = utf8Rows[c] >> (s & 63)
	}
	u.state = uint8(s & 63)
	return u.state != textBad
}

// Done reports whether the text may end here: all valid and no rune open.
func (u *UTF8) Done() bool { return u.state == textWhole }

// validText reports whether p is one whole valid text.
func validText(p []byte) bool {
	var u UTF8
	u.Write(p)
	return u.Done()
}
