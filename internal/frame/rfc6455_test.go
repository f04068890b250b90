package frame_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

// A sent is one frame as a test writes it: anything can be wrong with it.
type sent struct {
	b0      byte // FIN, RSV and opcode
	payload string
	wide    int   // bytes of extended length; 0: the shortest form
	claim   int64 // length in the header; 0: the payload's
	unmask  bool  // masked where it must not be, and the other way round
}

func (s sent) append(b []byte, masked bool) []byte {
	length := uint64(len(s.payload))
	if s.claim != 0 {
		length = uint64(s.claim)
	}
	wide := s.wide
	if wide == 0 && length > 125 {
		if wide = 2; length > 65535 {
			wide = 8
		}
	}
	var bit byte
	if masked != s.unmask {
		bit = 0x80
	}
	switch wide {
	case 0:
		b = append(b, s.b0, bit|byte(length))
	case 2:
		b = binary.BigEndian.AppendUint16(append(b, s.b0, bit|126), uint16(length))
	case 8:
		b = binary.BigEndian.AppendUint64(append(b, s.b0, bit|127), length)
	}
	if bit == 0 {
		return append(b, s.payload...)
	}
	key := [4]byte{0x5A, 0xFF, 0x00, 0x93}
	b = append(b, key[:]...)
	for i := range len(s.payload) {
		b = append(b, s.payload[i]^key[i%4])
	}
	return b
}

// A rule is one sentence of the RFC and what a parser makes of frames that keep
// or break it. All hold in both roles.
type rule struct {
	section string
	fact    string
	frames  []sent
	config  frame.Config
	events  string // joined by ", "
	code    int    // close code of the error
	open    bool
}

func (r rule) stream(client bool) (b []byte) {
	for _, s := range r.frames {
		b = s.append(b, !client)
	}
	return b
}

const (
	fin = 0x80
	r1  = 0x40
	r2  = 0x20
	r3  = 0x10

	cont = byte(frame.Continuation)
	text = byte(frame.Text)
	bin  = byte(frame.Binary)
	shut = byte(frame.Close)
	ping = byte(frame.Ping)
	pong = byte(frame.Pong)
)

var (
	deflate = frame.Config{Deflate: true}
	most10  = frame.Config{MaxMessage: 10}
	long125 = strings.Repeat("p", 125)
	long126 = strings.Repeat("b", 126)
	long64k = strings.Repeat("k", 65536)
)

var rules = []rule{
	{"5.1", "a frame masked as its sender must is taken", []sent{{b0: fin | text, payload: "a"}}, frame.Config{}, `text "a"`, 0, false},
	{"5.1", "a frame with the masking of the other role fails", []sent{{b0: fin | text, payload: "a", unmask: true}}, frame.Config{}, "", 1002, false},
	{"5.1", "so does a control frame", []sent{{b0: fin | ping, unmask: true}}, frame.Config{}, "", 1002, false},
	{"5.1", "and a later fragment", []sent{{b0: text, payload: "a"}, {b0: fin | cont, unmask: true}}, frame.Config{}, "", 1002, false},

	{"5.2", "RSV1 without an extension fails", []sent{{b0: fin | r1 | text}}, frame.Config{}, "", 1002, false},
	{"5.2", "RSV2 fails", []sent{{b0: fin | r2 | text}}, deflate, "", 1002, false},
	{"5.2", "RSV3 fails", []sent{{b0: fin | r3 | bin}}, deflate, "", 1002, false},
	{"5.2", "RSV1 on a control frame without an extension fails", []sent{{b0: fin | r1 | ping}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0x3 is reserved", []sent{{b0: fin | 0x3}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0x4 is reserved", []sent{{b0: fin | 0x4}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0x5 is reserved", []sent{{b0: fin | 0x5}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0x6 is reserved", []sent{{b0: fin | 0x6}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0x7 is reserved, inside a message too", []sent{{b0: text, payload: "a"}, {b0: fin | 0x7}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0xB is reserved", []sent{{b0: fin | 0xB}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0xC is reserved", []sent{{b0: fin | 0xC}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0xD is reserved", []sent{{b0: fin | 0xD}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0xE is reserved", []sent{{b0: fin | 0xE}}, frame.Config{}, "", 1002, false},
	{"5.2", "opcode 0xF is reserved", []sent{{b0: fin | 0xF}}, frame.Config{}, "", 1002, false},
	{"5.2", "125 bytes in the short form", []sent{{b0: fin | bin, payload: long125}}, frame.Config{}, fmt.Sprintf("binary %q", long125), 0, false},
	{"5.2", "126 bytes in the 16-bit form", []sent{{b0: fin | bin, payload: long126}}, frame.Config{}, fmt.Sprintf("binary %q", long126), 0, false},
	{"5.2", "125 bytes in the 16-bit form fail", []sent{{b0: fin | bin, payload: long125, wide: 2}}, frame.Config{}, "", 1002, false},
	{"5.2", "126 bytes in the 64-bit form fail", []sent{{b0: fin | bin, payload: long126, wide: 8}}, frame.Config{}, "", 1002, false},
	{"5.2", "65536 bytes in the 64-bit form", []sent{{b0: fin | bin, payload: long64k}}, frame.Config{}, fmt.Sprintf("binary %q", long64k), 0, false},
	{"5.2", "a length with the top bit fails", []sent{{b0: fin | bin, wide: 8, claim: -1 << 63}}, frame.Config{}, "", 1002, false},
	{"5.2", "the greatest length that memory can have is only waited for", []sent{{b0: fin | bin, wide: 8, claim: math.MaxInt, payload: "a"}}, frame.Config{}, "", 0, true},
	{"5.2", "a sum of lengths beyond memory fails", []sent{{b0: bin, payload: "a"}, {b0: fin | cont, wide: 8, claim: math.MaxInt, payload: "a"}}, frame.Config{}, "", 1009, false},

	{"5.4", "fragments join", []sent{{b0: text, payload: "a"}, {payload: "b"}, {b0: fin | cont, payload: "c"}}, frame.Config{}, `text "abc"`, 0, false},
	{"5.4", "fragments may be empty", []sent{{b0: bin}, {}, {payload: "b"}, {}, {b0: fin | cont}}, frame.Config{}, `binary "b"`, 0, false},
	{"5.4", "all fragments may be empty", []sent{{b0: text}, {}, {b0: fin | cont}}, frame.Config{}, `text ""`, 0, false},
	{"5.4", "a message without its last fragment is open", []sent{{b0: text, payload: "a"}, {payload: "b"}}, frame.Config{}, "", 0, true},
	{"5.4", "control frames may come between fragments", []sent{{b0: text, payload: "a"}, {b0: fin | ping, payload: "p"}, {payload: "b"}, {b0: fin | pong}, {b0: fin | cont, payload: "c"}}, frame.Config{}, `ping "p", pong "", text "abc"`, 0, false},
	{"5.4", "several at one place, too", []sent{{b0: bin, payload: "a"}, {b0: fin | ping, payload: "first"}, {b0: fin | ping, payload: "other"}, {b0: fin | cont, payload: "b"}}, frame.Config{}, `ping "first", ping "other", binary "ab"`, 0, false},
	{"5.4", "so may a close frame", []sent{{b0: text, payload: "a"}, {b0: fin | shut, payload: "\x03\xE8"}, {b0: fin | cont, payload: "b"}}, frame.Config{}, `close 1000 "" ("\x03\xe8")`, 0, false},
	{"5.4", "control frames are not fragmented", []sent{{b0: ping, payload: "p"}}, frame.Config{}, "", 1002, false},
	{"5.4", "not even pongs", []sent{{b0: pong}}, frame.Config{}, "", 1002, false},
	{"5.4", "nor a close frame", []sent{{b0: shut}}, frame.Config{}, "", 1002, false},
	{"5.4", "a continuation needs a message", []sent{{b0: fin | cont, payload: "a"}}, frame.Config{}, "", 1002, false},
	{"5.4", "a continuation that is not the last needs one too", []sent{{b0: cont, payload: "a"}}, frame.Config{}, "", 1002, false},
	{"5.4", "a continuation after the last fragment fails", []sent{{b0: text, payload: "a"}, {b0: fin | cont, payload: "b"}, {b0: fin | cont, payload: "c"}}, frame.Config{}, `text "ab"`, 1002, false},
	{"5.4", "a control frame starts no message", []sent{{b0: fin | ping}, {b0: fin | cont}}, frame.Config{}, `ping ""`, 1002, false},
	{"5.4", "messages are not interleaved", []sent{{b0: text, payload: "a"}, {b0: fin | text, payload: "b"}}, frame.Config{}, "", 1002, false},
	{"5.4", "nor of another type", []sent{{b0: text, payload: "a"}, {b0: bin, payload: "b"}}, frame.Config{}, "", 1002, false},
	{"5.4", "a control frame ends no message", []sent{{b0: bin, payload: "a"}, {b0: fin | ping}, {b0: fin | bin}}, frame.Config{}, `ping ""`, 1002, false},
	{"5.4", "the bytes of a message need not wait for its end to be too many", []sent{{b0: bin, payload: "12345"}, {payload: "123456"}}, most10, "", 1009, false},

	{"5.5", "a control frame has up to 125 bytes", []sent{{b0: fin | ping, payload: long125}}, frame.Config{}, fmt.Sprintf("ping %q", long125), 0, false},
	{"5.5", "not 126", []sent{{b0: fin | ping, payload: long126}}, frame.Config{}, "", 1002, false},
	{"5.5", "not even if it could have been short", []sent{{b0: fin | pong, payload: "p", wide: 2}}, frame.Config{}, "", 1002, false},
	{"5.5", "nor a close frame", []sent{{b0: fin | shut, payload: "\x03\xE8" + long125}}, frame.Config{}, "", 1002, false},

	{"5.5.1", "a close frame may be empty", []sent{{b0: fin | shut}}, frame.Config{}, `close 1005 "" ("")`, 0, false},
	{"5.5.1", "a close frame has a code and a reason", []sent{{b0: fin | shut, payload: "\x11\x31برو"}}, frame.Config{}, fmt.Sprintf("close 4401 %q (%q)", "برو", "\x11\x31برو"), 0, false},
	{"5.5.1", "the code has two bytes", []sent{{b0: fin | shut, payload: "\x03"}}, frame.Config{}, "", 1002, false},
	{"5.5.1", "the reason is UTF-8", []sent{{b0: fin | shut, payload: "\x03\xE8\xFF"}}, frame.Config{}, "", 1007, false},
	{"5.5.1", "the reason does not end inside a rune", []sent{{b0: fin | shut, payload: "\x03\xE8\xD8"}}, frame.Config{}, "", 1007, false},
	{"5.5.1", "nothing counts after a close frame", []sent{{b0: fin | shut}, {b0: fin | text, payload: "a"}, {b0: fin | ping}, {b0: 0x7F}}, frame.Config{}, `close 1005 "" ("")`, 0, false},
	{"5.5.2", "a ping carries its payload", []sent{{b0: fin | ping, payload: "\x00\xFFp"}}, frame.Config{}, `ping "\x00\xffp"`, 0, false},
	{"5.5.3", "a pong may come unasked", []sent{{b0: fin | pong, payload: "p"}, {b0: fin | pong}}, frame.Config{}, `pong "p", pong ""`, 0, false},

	{"5.6", "text may be split inside a rune", []sent{{b0: text, payload: "\xD8"}, {payload: "\xB3\xF0\x9F"}, {payload: "\x90"}, {b0: fin | cont, payload: "\xA6"}}, frame.Config{}, fmt.Sprintf("text %q", "س🐦"), 0, false},
	{"5.6", "and by a control frame there", []sent{{b0: text, payload: "\xD8"}, {b0: fin | ping, payload: "\xFF"}, {b0: fin | cont, payload: "\xB3"}}, frame.Config{}, fmt.Sprintf("ping %q, text %q", "\xFF", "س"), 0, false},
	{"5.6", "binary is any bytes", []sent{{b0: bin, payload: "\xFF"}, {b0: fin | cont, payload: "\xC0"}}, frame.Config{}, `binary "\xff\xc0"`, 0, false},
	{"5.6", "messages follow each other", []sent{{b0: fin | text, payload: "a"}, {b0: fin | bin, payload: "b"}, {b0: fin | text}, {b0: fin | bin}}, frame.Config{}, `text "a", binary "b", text "", binary ""`, 0, false},

	{"7.4.1", "1004 is reserved", []sent{{b0: fin | shut, payload: "\x03\xEC"}}, frame.Config{}, "", 1002, false},
	{"7.4.1", "1005 does not travel", []sent{{b0: fin | shut, payload: "\x03\xED"}}, frame.Config{}, "", 1002, false},
	{"7.4.1", "1006 does not travel", []sent{{b0: fin | shut, payload: "\x03\xEE"}}, frame.Config{}, "", 1002, false},
	{"7.4.1", "1015 does not travel", []sent{{b0: fin | shut, payload: "\x03\xF7"}}, frame.Config{}, "", 1002, false},
	{"7.4.2", "0 to 999 are not used", []sent{{b0: fin | shut, payload: "\x03\xE7"}}, frame.Config{}, "", 1002, false},
	{"7.4.2", "1016 to 2999 are not given out", []sent{{b0: fin | shut, payload: "\x0B\xB7"}}, frame.Config{}, "", 1002, false},
	{"7.4.2", "3000 is a library's", []sent{{b0: fin | shut, payload: "\x0B\xB8"}}, frame.Config{}, `close 3000 "" ("\v\xb8")`, 0, false},
	{"7.4.2", "4999 is an application's", []sent{{b0: fin | shut, payload: "\x13\x87"}}, frame.Config{}, `close 4999 "" ("\x13\x87")`, 0, false},

	{"8.1", "a byte that is not UTF-8 fails", []sent{{b0: fin | text, payload: "سلام\xFF"}}, frame.Config{}, "", 1007, false},
	{"8.1", "an overlong form fails", []sent{{b0: fin | text, payload: "\xC0\xAF"}}, frame.Config{}, "", 1007, false},
	{"8.1", "a surrogate fails", []sent{{b0: fin | text, payload: "\xED\xA0\x80"}}, frame.Config{}, "", 1007, false},
	{"8.1", "a rune beyond U+10FFFF fails", []sent{{b0: fin | text, payload: "\xF4\x90\x80\x80"}}, frame.Config{}, "", 1007, false},
	{"8.1", "a message that ends inside a rune fails", []sent{{b0: fin | text, payload: "a\xD8"}}, frame.Config{}, "", 1007, false},
	{"8.1", "so does one of fragments", []sent{{b0: text, payload: "a\xD8"}, {b0: fin | cont}}, frame.Config{}, "", 1007, false},
	{"8.1", "a bad fragment fails before the last one", []sent{{b0: text, payload: "a\xF4"}, {payload: "\x90"}}, frame.Config{}, "", 1007, false},
	{"8.1", "a bad byte fails before its frame is complete", []sent{{b0: fin | text, payload: "a\xFF", claim: 100}}, frame.Config{}, "", 1007, false},
	{"8.1", "a rune that may still become valid is waited for", []sent{{b0: fin | text, payload: "a\xF4\x8F", claim: 100}}, frame.Config{}, "", 0, true},

	{"7692:6", "a compressed message has RSV1 on its first frame", []sent{{b0: r1 | text, payload: "\xFF"}, {b0: fin | cont, payload: "\xFF"}}, deflate, `compressed text "\xff\xff"`, 0, false},
	{"7692:6", "a compressed message may be one frame", []sent{{b0: fin | r1 | bin, payload: "\xFF"}, {b0: fin | r1 | text, payload: "\xFF"}}, deflate, `compressed binary "\xff", compressed text "\xff"`, 0, false},
	{"7692:6", "messages with and without RSV1 may follow each other", []sent{{b0: fin | r1 | text, payload: "\xFF"}, {b0: fin | text, payload: "\xFF"}}, deflate, `compressed text "\xff"`, 1007, false},
	{"7692:6", "RSV1 on a continuation fails", []sent{{b0: r1 | text, payload: "a"}, {b0: fin | r1 | cont, payload: "b"}}, deflate, "", 1002, false},
	{"7692:6", "RSV1 on a control frame fails", []sent{{b0: fin | r1 | ping}}, deflate, "", 1002, false},

	{"10.4", "a message may be as long as the limit", []sent{{b0: fin | bin, payload: "1234567890"}}, most10, `binary "1234567890"`, 0, false},
	{"10.4", "a longer one fails", []sent{{b0: fin | bin, payload: "12345678901"}}, most10, "", 1009, false},
	{"10.4", "already by its header", []sent{{b0: fin | text, claim: 11}}, most10, "", 1009, false},
	{"10.4", "fragments may be as long together", []sent{{b0: bin, payload: "12345"}, {b0: fin | cont, payload: "67890"}}, most10, `binary "1234567890"`, 0, false},
	{"10.4", "and no longer, by the header of the last", []sent{{b0: bin, payload: "12345"}, {b0: fin | cont, claim: 6}}, most10, "", 1009, false},
	{"10.4", "control frames do not count", []sent{{b0: bin, payload: "12345"}, {b0: fin | ping, payload: "12345678901"}, {b0: fin | cont, payload: "67890"}, {b0: fin | pong, payload: "12345678901"}}, most10, `ping "12345678901", binary "1234567890", pong "12345678901"`, 0, false},
	{"10.4", "each message has the whole limit", []sent{{b0: fin | bin, payload: "1234567890"}, {b0: fin | bin, payload: "1234567890"}}, most10, `binary "1234567890", binary "1234567890"`, 0, false},
}

func TestRulesOfTheRFC(t *testing.T) {
	for _, row := range rules {
		for _, client := range []bool{false, true} {
			role := map[bool]string{false: "server", true: "client"}[client]
			t.Run(fmt.Sprintf("%s %s (%s)", row.section, row.fact, role), func(t *testing.T) {
				c := row.config
				c.Client = client
				stream := row.stream(client)
				want := told{code: row.code, open: row.open}
				if row.events != "" {
					want.events = []string{row.events}
				}
				if m := model(c, stream); m.String() != want.String() {
					t.Fatalf("the model says %v\nthe row %v", m, want)
				}
				everySplit(t, &c, stream, want)
			})
		}
	}
}

// TestExamplesOfTheRFC reads and, where they are one frame, writes the examples
// of RFC 6455 section 5.7.
func TestExamplesOfTheRFC(t *testing.T) {
	hello := []byte("Hello")
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	for _, row := range []struct {
		name    string
		wire    string
		client  bool
		want    string
		written []byte
	}{
		{"unmasked text", "\x81\x05Hello", true, `text "Hello"`, frame.AppendFrame(nil, frame.Text, hello)},
		{"masked text", "\x81\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58", false, `text "Hello"`, frame.AppendMasked(nil, frame.Text, hello, key)},
		{"fragmented text", "\x01\x03Hel\x80\x02lo", true, `text "Hello"`, nil},
		{"ping", "\x89\x05Hello", true, `ping "Hello"`, frame.AppendFrame(nil, frame.Ping, hello)},
		{"pong", "\x8A\x85\x37\xFA\x21\x3D\x7F\x9F\x4D\x51\x58", false, `pong "Hello"`, frame.AppendMasked(nil, frame.Pong, hello, key)},
		{"256 bytes", "\x82\x7E\x01\x00" + long64k[:256], true, fmt.Sprintf("binary %q", long64k[:256]), frame.AppendFrame(nil, frame.Binary, []byte(long64k[:256]))},
		{"64 KiB", "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00" + long64k, true, fmt.Sprintf("binary %q", long64k), frame.AppendFrame(nil, frame.Binary, []byte(long64k))},
	} {
		t.Run(row.name, func(t *testing.T) {
			everySplit(t, &frame.Config{Client: row.client}, []byte(row.wire), told{events: []string{row.want}})
			if row.written != nil && string(row.written) != row.wire {
				t.Errorf("written as % x", row.written)
			}
		})
	}
}
