package nats_test

import (
	"strings"
	"testing"

	"github.com/finch-go/finch/broker/nats"
)

func TestTokenOfAName(t *testing.T) {
	for name, token := range map[string]string{
		"chat":                   "chat",
		"A-9_":                   "A-9_",
		"chat:7":                 "=Y2hhdDo3",
		"a.b":                    "=YS5i",
		"":                       "=",
		"=":                      "=PQ",
		"~":                      "=fg",
		"*":                      "=Kg",
		">":                      "=Pg",
		"\x00\xff":               "=AP8",
		strings.Repeat("r", 64):  strings.Repeat("r", 64),
		"سلام":                   "=2LPZhNin2YU",
		strings.Repeat("\n", 3):  "=CgoK",
		strings.Repeat("rr", 33): "=" + strings.Repeat("cnJy", 22),
	} {
		if got := nats.TokenOf(name); got != token {
			t.Errorf("%q has the token %q, want %q", name, got, token)
		}
		if got, ok := nats.NameOf(token); got != name || !ok {
			t.Errorf("%q is the token of %q, %v; want %q", token, got, ok, name)
		}
	}
	for _, token := range []string{"", "~n", "=Y2hhdA", "=Y2hhdDo3=", "=Y2hh\nDo3", "=P R", "a.b", "=fh", "=YS5j.", strings.Repeat("r", 65)} {
		if name, ok := nats.NameOf(token); ok {
			t.Errorf("%q is taken for the token of %q", token, name)
		}
	}
}

func FuzzTokens(f *testing.F) {
	for _, seed := range []string{"", "chat", "chat:7", "=", "~", "=Y2hhdA", "\xff", strings.Repeat("r", 65)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		token := nats.TokenOf(text)
		if strings.ContainsAny(token, ".*> \t\r\n~") || token == "" {
			t.Fatalf("%q has the token %q", text, token)
		}
		if name, ok := nats.NameOf(token); !ok || name != text {
			t.Fatalf("%q comes back as %q, %v", text, name, ok)
		}
		if name, ok := nats.NameOf(text); ok && nats.TokenOf(name) != text {
			t.Fatalf("%q is a second token of %q", text, name)
		}
	})
}

func FuzzHeaderValues(f *testing.F) {
	for _, seed := range []string{"", "ann", "=", " a", "a ", "a\r\nb", "\x00", "سلام", "=YQ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value := nats.HeaderOf(text)
		for i := range len(value) {
			if value[i] < ' ' || value[i] > '~' {
				t.Fatalf("%q becomes the header %q", text, value)
			}
		}
		if value != strings.TrimSpace(value) {
			t.Fatalf("%q becomes %q, which does not keep its spaces", text, value)
		}
		if got := nats.TextOf(value); got != text {
			t.Fatalf("%q comes back as %q", text, got)
		}
		nats.TextOf(text)
	})
}
