package frame

import (
	"strconv"
	"strings"
)

// An Offer is one permessage-deflate offer of a client (RFC 7692 section 7.1)
// that a server can honour.
type Offer struct {
	// ServerNoContextTakeover asks that the server compress each message by
	// itself, and ClientNoContextTakeover says that the client will (sections
	// 7.1.1.1 and 7.1.1.2).
	ServerNoContextTakeover bool
	ClientNoContextTakeover bool
	// ServerMaxWindowBits is the largest window that the client can inflate, as
	// the base-2 logarithm of its size: 8 to 15. Zero: not limited (section
	// 7.1.2.1).
	ServerMaxWindowBits int
	// ClientMaxWindowBits is the largest window that the client deflates with,
	// 8 to 15, of which the answer may ask for less. Zero: it may not (section
	// 7.1.2.2). The parameter without a value is 15.
	ClientMaxWindowBits int
}

// The smallest and the largest window of RFC 7692 section 7.1.2, as the base-2
// logarithms of their sizes in bytes.
const (
	MinWindowBits = 8
	MaxWindowBits = 15
)

const deflateName = "permessage-deflate"

// ParseOffers reads the values of a request's Sec-WebSocket-Extensions header
// and returns its permessage-deflate offers in the client's order of
// preference. Other extensions are passed over, and so is every offer that must
// be declined: one with a parameter that is unknown, repeated, or has a value
// it cannot have (RFC 7692 section 7).
//
// A header that does not follow the grammar (RFC 6455 section 9.1) offers
// nothing, not even what stood before the fault. The connection is not failed,
// as that section wants it: a server with compression off does not look at the
// header at all, and switching it on should lock nobody out.
func ParseOffers(values []string) []Offer {
	var offers []Offer
	for _, v := range values {
		s := extensions{rest: v}
		for s.element() {
			if o, ok := s.offer(); ok {
				offers = append(offers, o)
			}
		}
		if s.malformed {
			return nil
		}
	}
	return offers
}

// Accept answers the first of the offers: with the value of the response's
// Sec-WebSocket-Extensions header, and with the window that the server must
// deflate within. The answer is empty if there are no offers.
//
// It always has both parameters that end a context with its message, so that
// no compressor and no window is kept for a connection and one compressed
// message serves many of them (RFC 7692 sections 7.1.1.1 and 7.1.1.2 let a
// server say both unasked). It never limits the client's window: nothing would
// be saved by it.
func Accept(offers []Offer) (answer string, windowBits int) {
	if len(offers) == 0 {
		return "", 0
	}
	answer = deflateName + "; server_no_context_takeover; client_no_context_takeover"
	bits := offers[0].ServerMaxWindowBits
	if bits == 0 { // then the answer need not speak of it, and the window is the largest
		return answer, MaxWindowBits
	}
	return answer + "; server_max_window_bits=" + strconv.Itoa(bits), bits
}

// extensions reads one value of a Sec-WebSocket-Extensions header:
//
//	extension-list  = 1#( token *( ";" extension-param ) )
//	extension-param = token [ "=" ( token | quoted-string ) ]
//
// with blanks allowed between all of these, and empty elements in the list
// (RFC 6455 section 9.1, RFC 2616 section 2.1).
type extensions struct {
	rest      string
	malformed bool // rest is what was not understood
}

// element goes to the next extension; false at the end.
func (s *extensions) element() bool {
	for s.take(',') {
	}
	return !s.malformed && s.rest != ""
}

// offer reads an extension; false if it is another one or must be declined.
// Either way it is read to its end.
func (s *extensions) offer() (o Offer, ok bool) {
	ok = s.token() == deflateName
	for s.take(';') {
		name := s.token()
		value, hasValue := "", s.take('=')
		if hasValue {
			value = s.value()
		}
		ok = ok && o.set(name, value, hasValue)
	}
	if s.rest != "" && s.rest[0] != ',' {
		s.malformed = true
	}
	return o, ok && !s.malformed
}

// set takes one parameter of an offer; false if it declines the offer. What is
// set already was named twice.
func (o *Offer) set(name, value string, hasValue bool) bool {
	flag := func(f *bool) bool {
		first := !*f
		*f = true
		return first && !hasValue
	}
	bits := func(n *int) bool {
		first := *n == 0
		*n = windowBits(value)
		return first && *n != 0
	}
	switch name {
	case "server_no_context_takeover":
		return flag(&o.ServerNoContextTakeover)
	case "client_no_context_takeover":
		return flag(&o.ClientNoContextTakeover)
	case "server_max_window_bits":
		return bits(&o.ServerMaxWindowBits)
	case "client_max_window_bits":
		if !hasValue {
			value = strconv.Itoa(MaxWindowBits)
		}
		return bits(&o.ClientMaxWindowBits)
	}
	return false
}

// windowBits reads 8 to 15 in decimal without a leading zero; 0 is anything else.
func windowBits(value string) int {
	n, err := strconv.Atoi(value)
	if err != nil || n < MinWindowBits || n > MaxWindowBits || strconv.Itoa(n) != value {
		return 0
	}
	return n
}

// blank drops blanks from the front.
func (s *extensions) blank() { s.rest = strings.TrimLeft(s.rest, " \t") }

// take takes c and the blanks around it if it comes next.
func (s *extensions) take(c byte) bool {
	s.blank()
	if s.malformed || s.rest == "" || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	s.blank()
	return true
}

// token takes a token, which has at least one character.
func (s *extensions) token() string {
	n := 0
	for n < len(s.rest) && isToken(s.rest[n]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	if n == 0 {
		s.malformed = true
	}
	return t
}

// value takes a token or a quoted string; what was quoted must have been a
// token and means the same (RFC 6455 section 9.1).
func (s *extensions) value() string {
	if s.rest == "" || s.rest[0] != '"' {
		return s.token()
	}
	var unquoted []byte
	for i := 1; i < len(s.rest); i++ {
		c := s.rest[i]
		switch {
		case c == '"' && len(unquoted) > 0:
			s.rest = s.rest[i+1:]
			return string(unquoted)
		case c == '\\' && i+1 < len(s.rest):
			i++
			c = s.rest[i]
		}
		if !isToken(c) {
			break
		}
		unquoted = append(unquoted, c)
	}
	s.malformed = true
	return ""
}

// isToken reports whether c may stand in a token (RFC 9110 section 5.6.2).
func isToken(c byte) bool {
	switch {
	case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
