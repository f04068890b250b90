package protocol

import (
	"encoding/base64"
	"strings"
)

// SubprotocolJSON is the value of Sec-WebSocket-Protocol (RFC 6455 section
// 1.9) for the wire of this package.
const SubprotocolJSON = "finch.v1.json"

// SubprotocolTokenPrefix begins a subprotocol that carries a token for
// authentication: browsers can send no other header. It is offered beside a
// codec and must never be selected, echoed or logged.
const SubprotocolTokenPrefix = "finch.token."

// A subprotocol is a token of RFC 9110 section 5.6.2, where the '=' of padding
// is not allowed.
var tokenEncoding = base64.RawURLEncoding.Strict()

// EncodeToken returns the subprotocol that carries token.
func EncodeToken(token string) string {
	return SubprotocolTokenPrefix + tokenEncoding.EncodeToString([]byte(token))
}

// DecodeToken returns the token that a subprotocol carries. ok is false for a
// subprotocol that carries none: another prefix, nothing after it, or no
// base64url (RFC 4648 section 5). Padding is forgiven.
func DecodeToken(subprotocol string) (token string, ok bool) {
	encoded, found := strings.CutPrefix(subprotocol, SubprotocolTokenPrefix)
	if !found || strings.ContainsAny(encoded, "\r\n") {
		return "", false
	}
	b, err := tokenEncoding.DecodeString(strings.TrimRight(encoded, "="))
	if err != nil || len(b) == 0 {
		return "", false
	}
	return string(b), true
}
