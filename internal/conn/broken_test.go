package conn_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// broken are the ways to break RFC 6455 and the close code that each must get
// (section 7.4.1).
var broken = []struct {
	name string
	code int
	b    []byte
}{
	{"a frame without a mask", 1002, frame.AppendFrame(nil, frame.Text, []byte("bare"))},
	{"a reserved opcode", 1002, masked(frame.Opcode(3), "")},
	{"a reserved control opcode", 1002, masked(frame.Opcode(11), "")},
	{"a reserved bit", 1002, func() []byte { b := masked(frame.Text, "hi"); b[0] |= 0x40; return b }()},
	{"a fragmented ping", 1002, func() []byte { b := masked(frame.Ping, "hi"); b[0] &^= 0x80; return b }()},
	{"a long ping", 1002, append([]byte{0x89, 0x80 | 126, 0, 126}, make([]byte, 4+126)...)},
	{"a continuation of nothing", 1002, masked(frame.Continuation, "hi")},
	{"a message inside a message", 1002, slices.Concat(func() []byte { b := masked(frame.Text, "a"); b[0] &^= 0x80; return b }(), masked(frame.Text, "b"))},
	{"a length that is not the shortest", 1002, append([]byte{0x81, 0x80 | 126, 0, 5}, make([]byte, 4+5)...)},
	{"a negative length", 1002, append([]byte{0x81, 0x80 | 127, 0x80, 0, 0, 0, 0, 0, 0, 1}, make([]byte, 4)...)},
	{"a close of one byte", 1002, masked(frame.Close, "x")},
	{"a close code that must not travel", 1002, masked(frame.Close, "\x03\xed")}, // 1005
	{"a close reason that is not UTF-8", 1007, masked(frame.Close, "\x03\xe8\xff")},
	{"text that is not UTF-8", 1007, masked(frame.Text, "\xff")},
	{"text that ends inside a rune", 1007, masked(frame.Text, "سلام"[:3])},
	{"a surrogate", 1007, masked(frame.Text, "\xed\xa0\x80")},
	{"a message that is too large", 1009, masked(frame.Binary, filler(1001))},
	{"fragments that are too large together", 1009, slices.Concat(
		func() []byte { b := masked(frame.Binary, filler(900)); b[0] &^= 0x80; return b }(), masked(frame.Continuation, filler(101)))},
	{"a promise that is too large", 1009, append([]byte{0x82, 0x80 | 127, 0, 0, 1, 0, 0, 0, 0, 0}, make([]byte, 4)...)},
}

func TestABrokenFrameGetsItsCloseCode(t *testing.T) {
	for _, row := range broken {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				own := newOwner(t)
				own.onReceived = func(op frame.Opcode, payload []byte) { own.c.Send(frame.AppendFrame(nil, op, payload)) }
				own.onEnding = func(why conn.Close) {
					own.c.Send(frame.AppendFrame(nil, frame.Text, fmt.Append(nil, "because ", why.Code)))
				}
				cfg := quiet()
				cfg.Frame.MaxMessage = 1000
				r := s.serve(t, cfg, own)
				r.peer.write(append(masked(frame.Text, "good"), row.b...))
				r.peer.expectText("good") // what came before is handled and answered
				r.peer.expectText(fmt.Sprint("because ", row.code))
				if reason := r.peer.expectClose(row.code); reason == "" {
					t.Error("the close frame has no reason")
				}
				r.peer.nc.Close()
				if why := own.closed(); why.Code != row.code || why.Clean || why.Reason == "" {
					t.Errorf("closed with %+v", why)
				}
				want := []string{"opened", "text good", fmt.Sprint("failing ", row.code), fmt.Sprint("closed ", row.code)}
				if got := own.turns(); !slices.Equal(got, want) {
					t.Errorf("callbacks %q, want %q", got, want)
				}
			})
		})
	}
}

// Text is refused as it arrives, not when its message is complete.
func TestBrokenTextFailsBeforeItsMessageEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		r := s.serve(t, quiet(), newOwner(t))
		whole := masked(frame.Text, "a\xffb"+filler(1000))
		r.peer.write(whole[:20])
		r.peer.expectClose(1007)
	})
}

func TestARuneSplitBetweenFragmentsIsOneRune(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		r := s.serve(t, quiet(), newOwner(t))
		first := masked(frame.Text, "سلام"[:3])
		first[0] &^= 0x80
		r.peer.write(first)
		r.peer.write(masked(frame.Continuation, "سلام"[3:]))
		r.own.expect("text سلام")
	})
}
