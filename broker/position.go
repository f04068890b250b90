package broker

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

const (
	// MaxEpoch is the longest epoch in bytes.
	MaxEpoch = 32
	// MaxPositionText is the longest text of a position in bytes: epoch, 20
	// digits of offset, 16 of tag, two dots.
	MaxPositionText = MaxEpoch + 1 + 20 + 1 + 16
)

// ErrBadPosition is returned for a text that is not a position's.
var ErrBadPosition = errors.New("not a position")

// A Position says where a reader stands in a room: after the message at Offset.
// It is one value: its parts are stored, sent and compared together. It is
// comparable with ==, safe to copy, and grants nothing to whoever holds it.
//
// The zero Position means from nowhere: a reader that has not been here.
type Position struct {
	// Epoch is made of 1 to MaxEpoch letters, digits, - and _. Offsets of two
	// epochs have nothing to do with each other.
	Epoch string
	// Offset rises from message to message within an epoch of a room, and may
	// skip.
	Offset uint64
	// Tag tells two messages apart that had the same offset, one before and one
	// after a store lost its tail: 64 bits over what makes a publish unique (its
	// id, the time it was committed, or a hash chained from message to message),
	// never over the payload alone, because payloads repeat. It is zero exactly
	// where no message stands: the room had none up to this offset.
	Tag uint64
}

// IsZero reports whether p is from nowhere.
func (p Position) IsZero() bool { return p == Position{} }

// IsEmpty reports whether p was taken in a room that had no message yet.
func (p Position) IsEmpty() bool { return p.Epoch != "" && p.Tag == 0 }

// String is the text of p: epoch.offset.tag, the offset in base 10, the tag in
// base 16 with small letters, neither with leading zeros. Two positions are
// equal exactly when their texts are. The text of the zero Position is empty.
func (p Position) String() string {
	return string(p.append(nil))
}

func (p Position) append(b []byte) []byte {
	if p.IsZero() {
		return b
	}
	b = append(b, p.Epoch...)
	b = append(b, '.')
	b = strconv.AppendUint(b, p.Offset, 10)
	b = append(b, '.')
	return strconv.AppendUint(b, p.Tag, 16)
}

// AppendText appends the text of p to b. It never fails.
func (p Position) AppendText(b []byte) ([]byte, error) { return p.append(b), nil }

// MarshalText is String as bytes. It never fails.
func (p Position) MarshalText() ([]byte, error) { return p.append(nil), nil }

// UnmarshalText is ParsePosition. On an error p is unchanged.
func (p *Position) UnmarshalText(text []byte) error {
	if len(text) > MaxPositionText { // before the bytes are copied
		return fmt.Errorf("%w: longer than %d bytes", ErrBadPosition, MaxPositionText)
	}
	parsed, err := ParsePosition(string(text))
	if err == nil {
		*p = parsed
	}
	return err
}

// ParsePosition reads the text of a position, in the only form in which String
// writes it; empty text is the zero Position. The error wraps ErrBadPosition and
// says what is wrong without repeating the text.
func ParsePosition(text string) (Position, error) {
	if text == "" {
		return Position{}, nil
	}
	if len(text) > MaxPositionText {
		return Position{}, fmt.Errorf("%w: longer than %d bytes", ErrBadPosition, MaxPositionText)
	}
	epoch, rest, ok := strings.Cut(text, ".")
	offset, tag, ok2 := strings.Cut(rest, ".")
	if !ok || !ok2 {
		return Position{}, fmt.Errorf("%w: not of the form epoch.offset.tag", ErrBadPosition)
	}
	if !validEpoch(epoch) {
		return Position{}, fmt.Errorf("%w: the epoch is not 1 to %d letters, digits, - and _", ErrBadPosition, MaxEpoch)
	}
	p := Position{Epoch: epoch}
	if p.Offset, ok = parseDigits(offset, 10); !ok {
		return Position{}, fmt.Errorf("%w: the offset is not a number of 64 bits in base 10 without leading zeros", ErrBadPosition)
	}
	if p.Tag, ok = parseDigits(tag, 16); !ok {
		return Position{}, fmt.Errorf("%w: the tag is not a number of 64 bits in base 16 without leading zeros", ErrBadPosition)
	}
	return p, nil
}

func validEpoch(s string) bool {
	if len(s) == 0 || len(s) > MaxEpoch {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// parseDigits is stricter than strconv: one text for one number, so that no
// sign, capital or leading zero makes two texts of one position.
func parseDigits(s string, base int) (uint64, bool) {
	if len(s) > 1 && s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		digit := s[i] >= '0' && s[i] <= '9' || base == 16 && s[i] >= 'a' && s[i] <= 'f'
		if !digit {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}
