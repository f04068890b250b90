package frame_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"github.com/finch-go/finch/internal/frame"
)

var server frame.Config

var maskKey = [4]byte{0xDE, 0xAD, 0xBE, 0xEF}

func masked(op frame.Opcode, payload string) []byte {
	return frame.AppendMasked(nil, op, []byte(payload), maskKey)
}

// fragment is one masked frame of a fragmented message.
func fragment(op frame.Opcode, fin bool, payload string) []byte {
	h := frame.Header{Fin: fin, Opcode: op, Masked: true, Key: maskKey, Length: int64(len(payload))}
	b := frame.AppendHeader(nil, h)
	start := len(b)
	b = append(b, payload...)
	frame.Mask(b[start:], maskKey, 0)
	return b
}

func TestParserAtRestIsOnePointer(t *testing.T) {
	if got, most := unsafe.Sizeof(frame.Parser{}), unsafe.Sizeof(uintptr(0)); got > most {
		t.Errorf("%d bytes for each idle socket, want %d", got, most)
	}
}

func TestWholeFrameIsBorrowed(t *testing.T) {
	for _, text := range []string{"", "a", "سلام", strings.Repeat("x", 70000)} {
		b := masked(frame.Text, text)
		end := len(b)
		b = append(b, "next"...)
		var p frame.Parser
		ev, n, err := p.Next(&server, b)
		if ev.Opcode != frame.Text || string(ev.Payload) != text || n != end || err != nil {
			t.Fatalf("%d bytes: got %v, %d, %v", len(text), ev.Opcode, n, err)
		}
		if ev.Owned {
			t.Errorf("%d bytes: owned", len(text))
		}
		if len(text) > 0 && &ev.Payload[0] != &b[end-len(text)] {
			t.Errorf("%d bytes: copied", len(text))
		}
		_ = append(ev.Payload, "overwritten"...)
		if string(b[end:]) != "next" {
			t.Errorf("%d bytes: append to the payload reached what follows", len(text))
		}
	}
}

func TestFrameWithSplitHeaderIsBorrowed(t *testing.T) {
	b := masked(frame.Text, "hello")
	for cut := 1; cut <= 6; cut++ {
		b := bytes.Clone(b)
		var p frame.Parser
		p.Next(&server, b[:cut])
		ev, _, err := p.Next(&server, b[cut:])
		if string(ev.Payload) != "hello" || ev.Owned || &ev.Payload[0] != &b[6] || err != nil {
			t.Errorf("cut at %d: got %q, owned %v, %v", cut, ev.Payload, ev.Owned, err)
		}
	}
}

func TestWholeFrameDoesNotAllocate(t *testing.T) {
	for _, row := range []struct {
		name string
		in   []byte
	}{
		{"text", masked(frame.Text, "سلام سرور!")},
		{"binary", masked(frame.Binary, strings.Repeat("\xFF", 16<<10))},
		{"ping", masked(frame.Ping, "p")},
		{"pong", masked(frame.Pong, "")},
		{"several", bytes.Join([][]byte{masked(frame.Text, "a"), masked(frame.Ping, "b"), masked(frame.Binary, "c")}, nil)},
	} {
		var p frame.Parser
		b := make([]byte, len(row.in))
		if n := testing.AllocsPerRun(100, func() {
			copy(b, row.in)
			for rest := b; len(rest) > 0; {
				ev, n, err := p.Next(&server, rest)
				if ev.Opcode == 0 || err != nil {
					t.Fatalf("%s: %v, %v", row.name, ev.Opcode, err)
				}
				rest = rest[n:]
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations, want none", row.name, n)
		}
	}
}

func TestControlFrameBetweenFragmentsDoesNotAllocate(t *testing.T) {
	var p frame.Parser
	p.Next(&server, fragment(frame.Text, false, "a"))
	ping := masked(frame.Ping, "ping")
	b := make([]byte, len(ping))
	if n := testing.AllocsPerRun(100, func() {
		copy(b, ping)
		if ev, _, err := p.Next(&server, b); ev.Opcode != frame.Ping || ev.Owned || err != nil {
			t.Fatalf("%v, owned %v, %v", ev.Opcode, ev.Owned, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func TestGatheredPayloadIsOwned(t *testing.T) {
	for _, row := range []struct {
		name   string
		reads  [][]byte
		opcode frame.Opcode
		want   string
	}{
		{"split payload", split(masked(frame.Binary, "abcdef"), 8), frame.Binary, "abcdef"},
		{"fragments", [][]byte{fragment(frame.Text, false, "abc"), fragment(frame.Continuation, true, "def")}, frame.Text, "abcdef"},
		{"empty last fragment", [][]byte{fragment(frame.Text, false, "abcdef"), fragment(frame.Continuation, true, "")}, frame.Text, "abcdef"},
		{"split ping", split(masked(frame.Ping, "abcdef"), 8), frame.Ping, "abcdef"},
	} {
		var p frame.Parser
		var ev frame.Event
		for _, b := range row.reads {
			var err error
			if ev, _, err = p.Next(&server, b); err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			clear(b)
		}
		if ev.Opcode != row.opcode || !ev.Owned || string(ev.Payload) != row.want {
			t.Errorf("%s: got %v, owned %v, %q", row.name, ev.Opcode, ev.Owned, ev.Payload)
		}
		if p.Partial() || p.Buffered() != 0 {
			t.Errorf("%s: partial %v, %d bytes held after the end", row.name, p.Partial(), p.Buffered())
		}
	}
}

func split(b []byte, cut int) [][]byte { return [][]byte{b[:cut], b[cut:]} }

func TestPromisedLengthIsNotAllocated(t *testing.T) {
	var p frame.Parser
	b := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Binary, Masked: true, Length: 1 << 30})
	feed := func(b []byte) {
		if _, n, err := p.Next(&server, b); n != len(b) || err != nil {
			t.Fatalf("%d of %d bytes, %v", n, len(b), err)
		}
	}
	feed(b)
	if held := p.Buffered(); held > 256 {
		t.Errorf("%d bytes held for a header alone", held)
	}
	feed([]byte{1})
	if held := p.Buffered(); held > 1024 {
		t.Errorf("%d bytes held for one byte", held)
	}
	piece := make([]byte, 64<<10)
	for range 16 {
		feed(piece)
	}
	if held := p.Buffered(); held > 2<<20+1024 {
		t.Errorf("%d bytes held for 1 MiB", held)
	}
}

func TestBufferIsNoLongerThanTheMessage(t *testing.T) {
	for _, size := range []int{1, 100, 511, 512, 513, 5000, 70000} {
		var p frame.Parser
		b := masked(frame.Binary, strings.Repeat("x", size))
		var got []byte
		for piece := range pieces(b, []byte{200}) {
			if held := p.Buffered(); held > size+256 {
				t.Fatalf("%d bytes held for a message of %d", held, size)
			}
			ev, _, _ := p.Next(&server, piece)
			got = ev.Payload
		}
		if len(got) != size {
			t.Errorf("got %d bytes, want %d", len(got), size)
		}
	}
	// A limit is a promise too.
	c := frame.Config{MaxMessage: 600}
	var p frame.Parser
	for range 600 {
		op := frame.Continuation
		if !p.Partial() {
			op = frame.Binary
		}
		if _, _, err := p.Next(&c, fragment(op, false, "x")); err != nil {
			t.Fatal(err)
		}
	}
	if held := p.Buffered(); held > 600+256 {
		t.Errorf("%d bytes held under a limit of 600", held)
	}
}

// TestManyFragmentsCostTheirSum counts allocations, which tell a buffer that
// doubles from one that grows by each fragment without a clock.
func TestManyFragmentsCostTheirSum(t *testing.T) {
	const count = 100_000
	var stream []byte
	stream = append(stream, fragment(frame.Binary, false, "")...)
	for range count {
		stream = append(stream, fragment(frame.Continuation, false, "x")...)
	}
	stream = append(stream, fragment(frame.Continuation, true, "")...)
	in := make([]byte, len(stream))
	if n := testing.AllocsPerRun(1, func() {
		copy(in, stream)
		var p frame.Parser
		ev, n, err := p.Next(&server, in)
		if len(ev.Payload) != count || n != len(in) || err != nil {
			t.Fatalf("%d bytes, %d consumed, %v", len(ev.Payload), n, err)
		}
	}); n > 20 {
		t.Errorf("%v allocations for %d fragments", n, count)
	}
}

func TestBadTextFailsBeforeItsFrameEnds(t *testing.T) {
	// One byte at a time: the error comes with the byte that decides.
	text := "سلام \xF4\x90"
	b := masked(frame.Text, text+strings.Repeat("x", 100))
	header := len(b) - len(text) - 100
	var p frame.Parser
	for i := range b {
		_, _, err := p.Next(&server, b[i:i+1])
		if last := header + len(text) - 1; (err != nil) != (i >= last) {
			t.Fatalf("byte %d: error %v; byte %d decides", i, err, last)
		}
	}
}

func TestWrongHeaderFailsAtItsSecondByte(t *testing.T) {
	for _, head := range []string{"\x83\xFF", "\xC1\xFF", "\x09\x80", "\x89\xFE", "\x80\xFF", "\x81\x7F"} {
		var p frame.Parser
		if _, _, err := p.Next(&server, []byte(head[:1])); err != nil {
			t.Errorf("% x: failed at the first byte: %v", head, err)
		}
		if _, _, err := p.Next(&server, []byte(head[1:])); err == nil {
			t.Errorf("% x: no error before the rest of the header", head)
		}
	}
}

func TestErrorIsFinal(t *testing.T) {
	var p frame.Parser
	_, n, first := p.Next(&server, []byte("\x83\x80\x00\x00\x00\x00"))
	if n != 0 || first == nil {
		t.Fatalf("got %d, %v", n, first)
	}
	for range 3 {
		ev, n, err := p.Next(&server, masked(frame.Text, "a"))
		if ev.Opcode != 0 || n != 0 || err != first {
			t.Errorf("got %v, %d, %v; want %v again", ev.Opcode, n, err, first)
		}
	}
	if p.Partial() || p.Buffered() != 0 {
		t.Errorf("partial %v, %d bytes held", p.Partial(), p.Buffered())
	}
}

func TestNothingIsReadAfterClose(t *testing.T) {
	for _, b := range [][]byte{masked(frame.Close, ""), masked(frame.Close, "\x03\xE8bye")} {
		var p frame.Parser
		if ev, n, err := p.Next(&server, append(b, 0xFF)); ev.Opcode != frame.Close || n != len(b) || err != nil {
			t.Fatalf("got %v, %d, %v", ev.Opcode, n, err)
		}
		for _, rest := range [][]byte{{0xFF}, masked(frame.Text, "a"), make([]byte, 1000), nil} {
			if ev, n, err := p.Next(&server, rest); ev.Opcode != 0 || n != len(rest) || err != nil {
				t.Errorf("got %v, %d, %v after a close frame", ev.Opcode, n, err)
			}
		}
		if p.Partial() || p.Buffered() != 0 {
			t.Errorf("partial %v, %d bytes held after a close frame", p.Partial(), p.Buffered())
		}
	}
}

func TestPartialFollowsTheStream(t *testing.T) {
	var p frame.Parser
	for i, row := range []struct {
		in      []byte
		partial bool
	}{
		{nil, false},
		{[]byte{0x81}, true},
		{[]byte{0x81}, true},
		{[]byte{0, 0, 0, 0}, true},
		{[]byte{'a'}, false},
		{fragment(frame.Text, false, ""), true},
		{masked(frame.Ping, "p"), true},
		{nil, true},
		{fragment(frame.Continuation, true, ""), false},
		{masked(frame.Ping, "p")[:6], true},
		{[]byte{0}, false},
		{masked(frame.Text, "a"), false},
	} {
		if _, n, err := p.Next(&server, row.in); n != len(row.in) || err != nil {
			t.Fatalf("step %d: %d of %d bytes, %v", i, n, len(row.in), err)
		}
		if got := p.Partial(); got != row.partial {
			t.Errorf("step %d: partial is %v", i, got)
		}
	}
}

func BenchmarkParser(b *testing.B) {
	reads := func(in []byte, size int) (out [][]byte) {
		for len(in) > size {
			out, in = append(out, in[:size]), in[size:]
		}
		return append(out, in)
	}
	small := masked(frame.Text, `{"path":"chat","data":"salam"}`)
	big := masked(frame.Binary, strings.Repeat("\xFF", 16<<10))
	persian := masked(frame.Text, strings.Repeat("سلام سرور! ", 100))
	for _, row := range []struct {
		name  string
		reads [][]byte
	}{
		{"small text", [][]byte{small}},
		{"small text, 16 in a read", [][]byte{bytes.Repeat(small, 16)}},
		{"1.9 KB Persian text", [][]byte{persian}},
		{"16 KB binary", [][]byte{big}},
		{"ping", [][]byte{masked(frame.Ping, "")}},
		{"small text in two reads", reads(small, 20)},
		{"small text, header apart", reads(small, 6)},
		{"16 KB binary in two reads", reads(big, 10000)},
		{"16 KB binary by 1460 bytes", reads(big, 1460)},
	} {
		b.Run(fmt.Sprint(row.name), func(b *testing.B) {
			total := 0
			for _, r := range row.reads {
				total += len(r)
			}
			b.SetBytes(int64(total))
			b.ReportAllocs()
			in := make([]byte, total)
			var p frame.Parser
			for b.Loop() {
				for _, r := range row.reads {
					// The copy stands for the read, and undoes the unmasking.
					got := in[:copy(in, r)]
					for len(got) > 0 {
						_, n, err := p.Next(&server, got)
						if err != nil {
							b.Fatal(err)
						}
						got = got[n:]
					}
				}
			}
		})
	}
}
