package protocol_test

import (
	"testing"

	"github.com/finch-go/finch/protocol"
)

func TestTokenSurvivesTheSubprotocol(t *testing.T) {
	for _, token := range []string{"a", "abcd", "eyJhbGciOi.e30.x-_", "رمز", "\x00\xff", "a b,c=\"d\""} {
		sub := protocol.EncodeToken(token)
		for i := 0; i < len(sub); i++ {
			if c := sub[i]; c <= ' ' || c >= 0x7f || c == '=' || c == ',' || c == '"' {
				t.Errorf("%q: %q may not stand in a subprotocol", token, sub)
			}
		}
		for _, padding := range []string{"", "=", "=="} {
			if got, ok := protocol.DecodeToken(sub + padding); !ok || got != token {
				t.Errorf("%q: got %q, %v", token, got, ok)
			}
		}
	}
}

func TestSubprotocolWithoutTokenHasNone(t *testing.T) {
	for _, sub := range []string{
		"", "finch.v1.json", "finch.token.", "finch.token", "Finch.token.YQ", "finch.token.==",
		"finch.token.Y", "finch.token.Y+/x", "finch.token.YR", "finch.token.Y\nQ", "finch.token.YQ ",
	} {
		if token, ok := protocol.DecodeToken(sub); ok {
			t.Errorf("%q: got %q", sub, token)
		}
	}
}
