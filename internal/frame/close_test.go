package frame_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/finch-go/finch/internal/frame"
)

func TestCloseCodesThatMayTravel(t *testing.T) {
	allowed := map[int]bool{
		1000: true, 1001: true, 1002: true, 1003: true, // RFC 6455 section 7.4.1
		1007: true, 1008: true, 1009: true, 1010: true, 1011: true,
		1012: true, 1013: true, 1014: true, // IANA registry
	}
	for code := 3000; code <= 4999; code++ { // RFC 6455 section 7.4.2
		allowed[code] = true
	}
	for code := -1; code <= 1<<16; code++ {
		if got := frame.ValidCloseCode(code); got != allowed[code] {
			t.Errorf("%d: %v", code, got)
		}
	}
}

func TestClosePayloadIsRead(t *testing.T) {
	for _, row := range []struct {
		payload string
		code    int
		reason  string
		fails   int
	}{
		{"", 1005, "", 0},
		{"\x03", 0, "", 1002},
		{"\x03\xE8", 1000, "", 0},
		{"\x03\xE8bye", 1000, "bye", 0},
		{"\x11\x31برو", 4401, "برو", 0},
		{"\x00\x00", 0, "", 1002},
		{"\x03\xE7", 0, "", 1002}, // 999
		{"\x03\xEC", 0, "", 1002}, // 1004
		{"\x03\xED", 0, "", 1002}, // 1005
		{"\x03\xEE", 0, "", 1002}, // 1006
		{"\x03\xF7", 0, "", 1002}, // 1015
		{"\x07\xD0", 0, "", 1002}, // 2000
		{"\x13\x88", 0, "", 1002}, // 5000
		{"\xFF\xFF", 0, "", 1002},
		{"\x03\xE8\xFF", 0, "", 1007},
		{"\x03\xE8ab\xD8", 0, "", 1007},       // ends inside a rune
		{"\x03\xE8\xED\xA0\x80", 0, "", 1007}, // surrogate
		{"\x03\xED\xFF", 0, "", 1002},         // the code is looked at first
	} {
		code, reason, err := frame.ParseClose([]byte(row.payload))
		if row.fails != 0 {
			if e := (*frame.Error)(nil); !errors.As(err, &e) || e.Code != row.fails {
				t.Errorf("%q: got error %v, want close code %d", row.payload, err, row.fails)
			}
			continue
		}
		if code != row.code || reason != row.reason || err != nil {
			t.Errorf("%q: got %d, %q, %v", row.payload, code, reason, err)
		}
	}
}

func TestClosePayloadIsWritten(t *testing.T) {
	long := strings.Repeat("a", 123)
	for _, row := range []struct {
		name   string
		code   int
		reason string
		want   string
	}{
		{"code alone", 1000, "", "\x03\xE8"},
		{"code and reason", 1001, "going", "\x03\xE9going"},
		{"no code", 0, "lost", ""},
		{"1005 is no code", 1005, "lost", ""},
		{"1006 must not travel", 1006, "lost", ""},
		{"1015 must not travel", 1015, "", ""},
		{"negative", -1, "", ""},
		{"beyond two bytes", 1000 + 1<<16, "", ""},
		{"as long as fits", 1000, long, "\x03\xE8" + long},
		{"one too long", 1000, long + "b", "\x03\xE8" + long},
		{"rune of two over the edge", 1000, long[:122] + "س", "\x03\xE8" + long[:122]},
		{"rune of two at the edge", 1000, long[:121] + "سس", "\x03\xE8" + long[:121] + "س"},
		{"rune of three over the edge", 1000, long[:121] + "€", "\x03\xE8" + long[:121]},
		{"rune of four over the edge", 1000, long[:120] + "🐦", "\x03\xE8" + long[:120]},
		{"bad byte", 1000, "a\xFFb", "\x03\xE8a\uFFFDb"},
		{"rune cut short", 1000, "a\xD8", "\x03\xE8a\uFFFD"},
		{"longer by repair", 1000, long[:122] + "\xFF", "\x03\xE8" + long[:122]},
		{"nothing but the middle of runes", 1000, strings.Repeat("\x80", 500), "\x03\xE8\uFFFD"},
	} {
		if got := frame.AppendClosePayload([]byte("x"), row.code, row.reason); string(got) != "x"+row.want {
			t.Errorf("%s: got %q, want %q", row.name, got[1:], row.want)
		}
		want := frame.AppendFrame([]byte("x"), frame.Close, []byte(row.want))
		if got := frame.AppendClose([]byte("x"), row.code, row.reason); !bytes.Equal(got, want) {
			t.Errorf("%s: the frame is %q, want %q", row.name, got, want)
		}
	}
}

func FuzzClose(f *testing.F) {
	f.Add(1000, "bye", []byte("\x03\xE8bye"))
	f.Add(1005, "", []byte(""))
	f.Add(4401, strings.Repeat("س", 100), []byte("\x11\x31\xD8"))
	f.Add(1000, strings.Repeat("\x80", 130), []byte("\x03"))
	f.Add(1000, strings.Repeat("\xFF🐦", 40), []byte("\x03\xEE"))
	f.Fuzz(func(t *testing.T, code int, reason string, payload []byte) {
		wire := frame.AppendClosePayload(nil, code, reason)
		if len(wire) > frame.MaxControl {
			t.Fatalf("a payload of %d bytes", len(wire))
		}
		gotCode, gotReason, err := frame.ParseClose(wire)
		switch {
		case err != nil:
			t.Fatalf("we refuse our own %q: %v", wire, err)
		case !frame.ValidCloseCode(code):
			if gotCode != 1005 || gotReason != "" {
				t.Fatalf("code %d came out as %d, %q", code, gotCode, gotReason)
			}
		case gotCode != code:
			t.Fatalf("code %d came out as %d", code, gotCode)
		case utf8.ValidString(reason):
			if !strings.HasPrefix(reason, gotReason) || len(reason) > 123 && len(gotReason) < 120 || len(reason) <= 123 && gotReason != reason {
				t.Fatalf("reason %q came out as %q", reason, gotReason)
			}
		}

		gotCode, gotReason, err = frame.ParseClose(payload)
		if err != nil || len(payload) > frame.MaxControl {
			return
		}
		if got := frame.AppendClosePayload(nil, gotCode, gotReason); !bytes.Equal(got, payload) {
			t.Fatalf("%q was read as %d, %q, which is written %q", payload, gotCode, gotReason, got)
		}
	})
}
