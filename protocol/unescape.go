package protocol

import (
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the text of a valid JSON string, given without its quotes.
// What is no Unicode text (bytes that are not UTF-8, an escape of half a
// surrogate pair) becomes U+FFFD and makes exact false.
func unescape(dst, src []byte) (text []byte, exact bool) {
	exact = true
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == '\\' && src[i+1] == 'u':
			r, n := unescapeRune(src[i:])
			exact = exact && r >= 0
			if r < 0 {
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
			i += n
		case c == '\\':
			dst = append(dst, unescapeByte(src[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, n := utf8.DecodeRune(src[i:])
			exact = exact && (r != utf8.RuneError || n > 1)
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return dst, exact
}

// unescapeRune reads \uXXXX, or two of them that form a surrogate pair. The
// rune is -1 for half a pair.
func unescapeRune(b []byte) (r rune, n int) {
	r, _ = hex4(b)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if low, ok := hex4(b[6:]); ok {
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return -1, 6
}

func unescapeByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // a quote, a backslash or a slash
}

// hex4 reads \uXXXX at the beginning of b.
func hex4(b []byte) (r rune, ok bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	for _, c := range b[2:6] {
		switch {
		case c-'0' <= 9:
			c -= '0'
		case c-'a' <= 5:
			c -= 'a' - 10
		case c-'A' <= 5:
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}
