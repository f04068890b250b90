package frame

import (
	"strings"
	"unicode/utf8"
)

// codeNone stands for a close frame without a code; it never travels (RFC 6455
// section 7.1.5).
const codeNone = 1005

// maxReason is what the two bytes of the code leave of a control payload.
const maxReason = MaxControl - 2

// ValidCloseCode reports whether code may travel in a close frame: 1000 to 1003
// and 1007 to 1014 (RFC 6455 section 7.4.1 and the IANA registry of close
// codes), and 3000 to 4999 for libraries and applications (section 7.4.2).
// 1005, 1006 and 1015 have a meaning, but only inside a program.
func ValidCloseCode(code int) bool {
	switch {
	case code >= 1000 && code <= 1003, code >= 1007 && code <= 1014, code >= 3000 && code <= 4999:
		return true
	}
	return false
}

// AppendClose appends one whole unmasked close frame, as a server sends it, and
// returns the result; see AppendClosePayload for code and reason.
func AppendClose(b []byte, code int, reason string) []byte {
	start := len(b)
	b = append(b, finBit|byte(Close), 0)
	b = AppendClosePayload(b, code, reason)
	b[start+1] = byte(len(b) - start - 2)
	return b
}

// AppendClosePayload appends only the payload of a close frame, for a caller
// that masks it, and returns the result (RFC 6455 section 5.5.1). The reason is
// made valid UTF-8 and cut to 123 bytes at the border of a rune. The payload is
// empty, and the reason with it, if code is 0 or 1005, which say that there is
// none, or any other code that must not travel: such a code never reaches the
// wire. Who would rather have an error asks ValidCloseCode first.
func AppendClosePayload(b []byte, code int, reason string) []byte {
	if !ValidCloseCode(code) {
		return b
	}
	b = append(b, byte(code>>8), byte(code))
	return append(b, wireReason(reason)...)
}

func wireReason(s string) string {
	// Cut first: a long reason must not be repaired whole. The repair can make
	// it longer, hence the second cut.
	s = cutReason(s)
	if utf8.ValidString(s) {
		return s
	}
	return cutReason(strings.ToValidUTF8(s, "\uFFFD"))
}

func cutReason(s string) string {
	if len(s) <= maxReason {
		return s
	}
	// A rune has at most three bytes after its first; a longer run of such bytes
	// is no rune and has no border to look for.
	for n := maxReason; n > maxReason-utf8.UTFMax; n-- {
		if utf8.RuneStart(s[n]) {
			return s[:n]
		}
	}
	return s[:maxReason]
}

// ParseClose reads the payload of a close frame (RFC 6455 section 5.5.1). An
// empty payload is 1005, no code given. A payload of one byte and a code that
// must not travel are an *Error 1002; a reason that is not UTF-8 is an *Error
// 1007. The reason is a copy.
func ParseClose(payload []byte) (code int, reason string, err error) {
	if len(payload) == 0 {
		return codeNone, "", nil
	}
	if len(payload) == 1 {
		return 0, "", errCloseLength
	}
	code = int(payload[0])<<8 | int(payload[1])
	if !ValidCloseCode(code) {
		return 0, "", errCloseCode
	}
	if !validText(payload[2:]) {
		return 0, "", errCloseReason
	}
	return code, string(payload[2:]), nil
}
