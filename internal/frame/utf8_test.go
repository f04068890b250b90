package frame_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/finch-go/finch/internal/frame"
)

// decided returns the index of the first byte of p after which it can no longer
// become valid text, or -1. It asks the standard library about each rune.
func decided(p []byte) int {
	for i := 0; i < len(p); {
		_, size := utf8.DecodeRune(p[i:])
		if size > 1 || p[i] < utf8.RuneSelf {
			i += size
			continue
		}
		// A bad or an open rune; it is bad from where it counts as full.
		for n := 1; n <= len(p)-i; n++ {
			if utf8.FullRune(p[i : i+n]) {
				return i + n - 1
			}
		}
		return -1
	}
	return -1
}

func TestBadTextFailsAtTheByteThatDecides(t *testing.T) {
	for _, row := range []struct {
		name string
		text string
		at   int // -1: never
	}{
		{"ASCII", "salam", -1},
		{"Persian", "سلام سرور!", -1},
		{"first and last of each length", "\x00\x7F\u0080\u07FF\u0800\uFFFF\U00010000\U0010FFFF", -1},
		{"around the surrogates", "\uD7FF\uE000", -1},
		{"replacement character", "\uFFFD", -1},
		{"noncharacter", "\uFFFE\uFFFF", -1},
		{"open rune of two", "a\xD8", -1},
		{"open rune of three", "a\xE2\x82", -1},
		{"open rune of four", "a\xF0\x9F\x90", -1},
		{"middle without a beginning", "a\x80", 1},
		{"overlong of two, C0", "C0:\xC0\x80", 3},
		{"overlong of two, C1", "C1:\xC1\xBF", 3},
		{"overlong of three", "\xE0\x9F\xBF", 1},
		{"overlong of four", "\xF0\x8F\xBF\xBF", 1},
		{"first surrogate", "\xED\xA0\x80", 1},
		{"last surrogate", "\xED\xBF\xBF", 1},
		{"just beyond U+10FFFF", "\xF4\x90\x80\x80", 1},
		{"F5", "\xF5\x80\x80\x80", 0},
		{"FE", "ab\xFE", 2},
		{"FF", "ab\xFF", 2},
		{"rune of two broken off", "\xD8a", 1},
		{"rune of three broken off", "\xE2\x82a", 2},
		{"rune of four broken off", "\xF0\x9F\x90a", 3},
		{"beginning after beginning", "\xD8\xD8", 1},
		{"after much ASCII", strings.Repeat("a", 100) + "\xFF", 100},
		{"after much Persian", strings.Repeat("آب ", 50) + "\xD8\xFF", 251},
	} {
		if at := decided([]byte(row.text)); at != row.at {
			t.Fatalf("%s: the test itself says %d, want %d", row.name, at, row.at)
		}
		var u frame.UTF8
		failed := -1
		for i := range len(row.text) {
			if !u.Write([]byte{row.text[i]}) {
				failed = i
				break
			}
		}
		if failed != row.at {
			t.Errorf("%s: failed at byte %d, want %d", row.name, failed, row.at)
		}
		if got, want := u.Done(), utf8.ValidString(row.text); got != want {
			t.Errorf("%s: Done is %v, want %v", row.name, got, want)
		}
		// All at once, and in two pieces.
		for cut := range len(row.text) {
			var u frame.UTF8
			got := u.Write([]byte(row.text[:cut])) && u.Write([]byte(row.text[cut:]))
			if got != (row.at < 0) || u.Done() != utf8.ValidString(row.text) {
				t.Errorf("%s, cut at %d: Write is %v and Done is %v", row.name, cut, got, u.Done())
			}
		}
	}
}

// TestBadTextFailsWhereverItStands puts a broken rune before and after more
// ASCII than any stride over it is long, at every alignment.
func TestBadTextFailsWhereverItStands(t *testing.T) {
	for _, broken := range []string{"\xD8", "\xE2\x82", "\xF0\x9F\x90", "\x80", "\xFF"} {
		for before := range 80 {
			for after := range 80 {
				text := []byte(strings.Repeat("a", before) + broken + strings.Repeat("z", after))
				var u frame.UTF8
				if got, want := u.Write(text), decided(text) < 0; got != want || u.Done() {
					t.Fatalf("%q: Write is %v, Done is %v", text, got, u.Done())
				}
			}
		}
	}
}

func TestBadTextStaysBad(t *testing.T) {
	var u frame.UTF8
	if u.Write([]byte("\xFF")) || u.Write([]byte("a")) || u.Write(nil) || u.Done() {
		t.Error("forgotten")
	}
}

// TestAllShortTextsAgree goes through every text of up to three bytes and all of
// four that begin with a first byte of a longer rune and a telling second.
func TestAllShortTextsAgree(t *testing.T) {
	check := func(p []byte) {
		var u frame.UTF8
		if got, want := u.Write(p), decided(p) < 0; got != want || u.Done() != utf8.Valid(p) {
			t.Fatalf("% x: Write is %v, Done is %v", p, got, u.Done())
		}
	}
	interesting := []byte{0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF}
	for a := range 256 {
		check([]byte{byte(a)})
		for b := range 256 {
			check([]byte{byte(a), byte(b)})
			for _, c := range interesting {
				check([]byte{byte(a), byte(b), c})
				for _, d := range interesting {
					check([]byte{byte(a), byte(b), c, d})
				}
			}
		}
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("سلام سرور!"), []byte{1})
	f.Add([]byte("a\xF4\x90"), []byte{2, 0, 1})
	f.Add([]byte("\xED\xA0\x80🐦€"), []byte{3})
	f.Add([]byte(strings.Repeat("x", 40)+"\xE2\x82"), []byte{7, 30})
	f.Fuzz(func(t *testing.T, text, sizes []byte) {
		if len(text) > 1<<10 {
			return // the check of each prefix is slow, and a longer text no other
		}
		var u frame.UTF8
		at, done := decided(text), 0
		for piece := range pieces(text, sizes) {
			done += len(piece)
			want := at < 0 || at >= done
			if got := u.Write(piece); got != want {
				t.Fatalf("after %d bytes of %q Write is %v; byte %d decides", done, text, got, at)
			}
			if got, want := u.Done(), utf8.Valid(text[:done]); got != want {
				t.Fatalf("after %d bytes of %q Done is %v", done, text, got)
			}
		}
	})
}

func BenchmarkUTF8(b *testing.B) {
	for _, row := range []struct{ name, unit string }{
		{"ASCII", "the quick brown finch "},
		{"Persian", "سهره‌ی تیزپا و قهوه‌ای "},
		{"JSON with Persian", `{"path":"chat","data":"سلام سرور","id":7}`},
		{"birds", "🐦🐤"},
	} {
		for _, size := range []int{32, 4096} {
			text := []byte(strings.Repeat(row.unit, 4096/len(row.unit)+1))[:size]
			for !utf8.Valid(text) {
				text = text[:len(text)-1]
			}
			run := func(how string, valid func([]byte) bool) {
				b.Run(fmt.Sprintf("%s/%d/%s", row.name, size, how), func(b *testing.B) {
					b.SetBytes(int64(len(text)))
					b.ReportAllocs()
					for b.Loop() {
						if !valid(text) {
							b.Fatal("refused")
						}
					}
				})
			}
			run("frame", func(p []byte) bool {
				var u frame.UTF8
				return u.Write(p) && u.Done()
			})
			run("unicode", utf8.Valid)
		}
	}
}
