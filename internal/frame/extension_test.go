package frame_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

const bothNoTakeover = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

func TestOffersAreAnsweredAsRFC7692Says(t *testing.T) {
	tests := []struct {
		rule    string
		section string
		header  []string
		answer  string // empty: declined
		bits    int
	}{
		{"no header", "5", nil, "", 0},
		{"an empty header", "5", []string{""}, "", 0},
		{"the simplest offer", "7.1.3", []string{"permessage-deflate"}, bothNoTakeover, 15},
		{"what Chromium and Firefox offer", "7.1.3", []string{"permessage-deflate; client_max_window_bits"}, bothNoTakeover, 15},
		{"an offer of all parameters", "7.1.3", []string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9"},
			bothNoTakeover + "; server_max_window_bits=12", 12},

		{"the smallest window", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=8"}, bothNoTakeover + "; server_max_window_bits=8", 8},
		{"the largest window", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=15"}, bothNoTakeover + "; server_max_window_bits=15", 15},
		{"a window below the range", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=7"}, "", 0},
		{"a window above the range", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=16"}, "", 0},
		{"a window with a leading zero", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=010"}, "", 0},
		{"a window with a sign", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=+10"}, "", 0},
		{"a negative window", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=-10"}, "", 0},
		{"a window that is no number", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=ten"}, "", 0},
		{"a window that is no integer", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=10.0"}, "", 0},
		{"a window that no machine can hold", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits=99999999999999999999"}, "", 0},
		{"the server's window without a value", "7.1.2.1", []string{"permessage-deflate; server_max_window_bits"}, "", 0},

		{"the client's window with a value", "7.1.2.2", []string{"permessage-deflate; client_max_window_bits=8"}, bothNoTakeover, 15},
		{"the client's window below the range", "7.1.2.2", []string{"permessage-deflate; client_max_window_bits=7"}, "", 0},
		{"the client's window above the range", "7.1.2.2", []string{"permessage-deflate; client_max_window_bits=16"}, "", 0},
		{"the client's window with a leading zero", "7.1.2.2", []string{"permessage-deflate; client_max_window_bits=09"}, "", 0},

		{"server_no_context_takeover with a value", "7.1.1.1", []string{"permessage-deflate; server_no_context_takeover=true"}, "", 0},
		{"client_no_context_takeover with a value", "7.1.1.2", []string{"permessage-deflate; client_no_context_takeover=1"}, "", 0},

		{"an unknown parameter", "7", []string{"permessage-deflate; level=9"}, "", 0},
		{"a parameter in capitals is an unknown one", "7", []string{"permessage-deflate; SERVER_NO_CONTEXT_TAKEOVER"}, "", 0},
		{"server_no_context_takeover twice", "7", []string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, "", 0},
		{"client_no_context_takeover twice", "7", []string{"permessage-deflate; client_no_context_takeover; client_no_context_takeover"}, "", 0},
		{"server_max_window_bits twice", "7", []string{"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10"}, "", 0},
		{"client_max_window_bits twice", "7", []string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, "", 0},

		{"the first of two offers", "5", []string{"permessage-deflate; server_max_window_bits=9, permessage-deflate"}, bothNoTakeover + "; server_max_window_bits=9", 9},
		{"the second when the first must be declined", "5", []string{"permessage-deflate; server_max_window_bits=20, permessage-deflate; server_max_window_bits=9"}, bothNoTakeover + "; server_max_window_bits=9", 9},
		{"offers over two lines", "RFC 6455 9.1", []string{"permessage-deflate; nonsense", "permessage-deflate; server_max_window_bits=11"}, bothNoTakeover + "; server_max_window_bits=11", 11},
		{"another extension before", "5", []string{"permessage-bzip2; level=9, permessage-deflate"}, bothNoTakeover, 15},
		{"only another extension", "5", []string{"x-webkit-deflate-frame"}, "", 0},
		{"a name that begins alike", "5", []string{"permessage-deflate2"}, "", 0},

		{"a quoted value is the value", "RFC 6455 9.1", []string{`permessage-deflate; server_max_window_bits="10"`}, bothNoTakeover + "; server_max_window_bits=10", 10},
		{"escapes in a quoted value", "RFC 6455 9.1", []string{`permessage-deflate; server_max_window_bits="\1\0"`}, bothNoTakeover + "; server_max_window_bits=10", 10},
		{"a quoted value that is no token", "RFC 6455 9.1", []string{`permessage-deflate; server_max_window_bits="1 0"`}, "", 0},
		{"an empty quoted value", "RFC 6455 9.1", []string{`permessage-deflate; client_max_window_bits=""`}, "", 0},
		{"a quote that does not end", "RFC 6455 9.1", []string{`permessage-deflate; server_max_window_bits="10`}, "", 0},
		{"a quote that ends in a backslash", "RFC 6455 9.1", []string{`permessage-deflate; server_max_window_bits="10\`}, "", 0},
		{"blanks anywhere", "RFC 2616 2.1", []string{" \tpermessage-deflate ; server_max_window_bits = 10\t,  "}, bothNoTakeover + "; server_max_window_bits=10", 10},
		{"no blanks", "RFC 6455 9.1", []string{"permessage-deflate;server_max_window_bits=10"}, bothNoTakeover + "; server_max_window_bits=10", 10},
		{"empty elements", "RFC 2616 2.1", []string{",, permessage-deflate,,"}, bothNoTakeover, 15},
		{"an empty parameter", "RFC 6455 9.1", []string{"permessage-deflate;"}, "", 0},
		{"a parameter without a name", "RFC 6455 9.1", []string{"permessage-deflate; =10"}, "", 0},
		{"a parameter with an empty value", "RFC 6455 9.1", []string{"permessage-deflate; server_max_window_bits="}, "", 0},
		{"two names without a comma", "RFC 6455 9.1", []string{"permessage-deflate permessage-deflate"}, "", 0},
		{"text behind a quoted value", "RFC 6455 9.1", []string{`permessage-deflate; server_max_window_bits="10"0`}, "", 0},
		{"what is no token", "RFC 6455 9.1", []string{"permessage-deflate; ü"}, "", 0},
		{"a fault behind a good offer", "RFC 6455 9.1", []string{"permessage-deflate, ;"}, "", 0},
		{"a fault in another line", "RFC 6455 9.1", []string{"permessage-deflate", "="}, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			answer, bits := frame.Accept(frame.ParseOffers(tt.header))
			if answer != tt.answer || bits != tt.bits {
				t.Errorf("section %s: %q is answered %q with a window of %d bits, want %q, %d", tt.section, tt.header, answer, bits, tt.answer, tt.bits)
			}
		})
	}
}

func TestAnOfferSaysWhatTheClientAskedFor(t *testing.T) {
	got := frame.ParseOffers([]string{
		"permessage-deflate; client_max_window_bits; server_no_context_takeover, permessage-deflate; client_max_window_bits=9; server_max_window_bits=10",
		"permessage-deflate; client_no_context_takeover",
	})
	want := []frame.Offer{
		{ServerNoContextTakeover: true, ClientMaxWindowBits: 15},
		{ClientMaxWindowBits: 9, ServerMaxWindowBits: 10},
		{ClientNoContextTakeover: true},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// header writes an offer the way a client does.
func header(o frame.Offer) string {
	b := new(strings.Builder)
	b.WriteString("permessage-deflate")
	if o.ServerNoContextTakeover {
		b.WriteString("; server_no_context_takeover")
	}
	if o.ClientNoContextTakeover {
		b.WriteString("; client_no_context_takeover")
	}
	if o.ServerMaxWindowBits != 0 {
		fmt.Fprintf(b, "; server_max_window_bits=%d", o.ServerMaxWindowBits)
	}
	if o.ClientMaxWindowBits != 0 {
		fmt.Fprintf(b, "; client_max_window_bits=%d", o.ClientMaxWindowBits)
	}
	return b.String()
}

func FuzzOffers(f *testing.F) {
	f.Add("", "")
	f.Add("permessage-deflate; client_max_window_bits", "permessage-deflate")
	f.Add(`permessage-deflate; server_max_window_bits="10", x; y=z,,`, "permessage-deflate; server_max_window_bits=8")
	f.Add(`permessage-deflate; a="\`, " ,\t")
	f.Fuzz(func(t *testing.T, first, second string) {
		offers := frame.ParseOffers([]string{first, second})
		answer, bits := frame.Accept(offers)
		if (answer == "") != (len(offers) == 0) {
			t.Fatalf("%d offers are answered %q", len(offers), answer)
		}
		inRange := func(n int) bool { return n == 0 || n >= frame.MinWindowBits && n <= frame.MaxWindowBits }
		for _, o := range offers {
			if !inRange(o.ServerMaxWindowBits) || !inRange(o.ClientMaxWindowBits) {
				t.Fatalf("%q, %q: an offer is out of range: %+v", first, second, o)
			}
			again := frame.ParseOffers([]string{header(o)})
			if len(again) != 1 || again[0] != o {
				t.Fatalf("%+v is read back as %+v", o, again)
			}
		}
		if len(offers) > 0 {
			if most := offers[0].ServerMaxWindowBits; bits > frame.MaxWindowBits || bits < frame.MinWindowBits || most != 0 && bits > most {
				t.Fatalf("a window of %d bits was asked for, %d are used", most, bits)
			}
		}
	})
}
