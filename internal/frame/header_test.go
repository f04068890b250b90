package frame_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

var headers = []struct {
	name string
	h    frame.Header
	wire string
}{
	{"empty", frame.Header{Fin: true, Opcode: frame.Text}, "\x81\x00"},
	{"all bits", frame.Header{Fin: true, RSV1: true, RSV2: true, RSV3: true, Opcode: 0xF}, "\xFF\x00"},
	{"not final", frame.Header{Opcode: frame.Binary, Length: 1}, "\x02\x01"},
	{"RSV1", frame.Header{RSV1: true, Opcode: frame.Text}, "\x41\x00"},
	{"RSV2", frame.Header{RSV2: true}, "\x20\x00"},
	{"RSV3", frame.Header{RSV3: true}, "\x10\x00"},
	{"longest of 7 bits", frame.Header{Fin: true, Opcode: frame.Ping, Length: 125}, "\x89\x7D"},
	{"shortest of 16 bits", frame.Header{Fin: true, Opcode: frame.Binary, Length: 126}, "\x82\x7E\x00\x7E"},
	{"longest of 16 bits", frame.Header{Fin: true, Opcode: frame.Binary, Length: 65535}, "\x82\x7E\xFF\xFF"},
	{"shortest of 64 bits", frame.Header{Fin: true, Opcode: frame.Binary, Length: 65536}, "\x82\x7F\x00\x00\x00\x00\x00\x01\x00\x00"},
	{"longest of 64 bits", frame.Header{Fin: true, Opcode: frame.Binary, Length: math.MaxInt64}, "\x82\x7F\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF"},
	{"masked", frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: 5}, "\x81\x85\x01\x02\x03\x04"},
	{"masked, 16 bits", frame.Header{Masked: true, Key: [4]byte{1, 2, 3, 4}, Length: 300}, "\x00\xFE\x01\x2C\x01\x02\x03\x04"},
	{"masked, 64 bits", frame.Header{Masked: true, Key: [4]byte{9, 8, 7, 6}, Length: 1 << 40}, "\x00\xFF\x00\x00\x01\x00\x00\x00\x00\x00\x09\x08\x07\x06"},
}

func TestHeaderIsWrittenAsTheRFCDrawsIt(t *testing.T) {
	for _, row := range headers {
		if got := frame.AppendHeader([]byte("x"), row.h); string(got) != "x"+row.wire {
			t.Errorf("%s: got % x, want % x", row.name, got[1:], row.wire)
		}
	}
}

func TestHeaderIsReadOnceItIsWhole(t *testing.T) {
	for _, row := range headers {
		for cut := range row.wire {
			if h, n, err := frame.ParseHeader([]byte(row.wire[:cut])); n != 0 || err != nil || h != (frame.Header{}) {
				t.Errorf("%s: the first %d bytes gave %+v, %d, %v; want a wish for more", row.name, cut, h, n, err)
			}
		}
		h, n, err := frame.ParseHeader([]byte(row.wire + "rest"))
		if h != row.h || n != len(row.wire) || err != nil {
			t.Errorf("%s: got %+v, %d, %v", row.name, h, n, err)
		}
	}
}

func TestLengthMustBeInItsShortestForm(t *testing.T) {
	for _, wire := range []string{
		"\x82\x7E\x00\x00",
		"\x82\x7E\x00\x7D",
		"\x82\x7F\x00\x00\x00\x00\x00\x00\x00\x00",
		"\x82\x7F\x00\x00\x00\x00\x00\x00\x00\x7E",
		"\x82\x7F\x00\x00\x00\x00\x00\x00\xFF\xFF",
		"\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00", // top bit
		"\x82\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",
		"\x82\xFE\x00\x7D\x01\x02\x03\x04", // masked
	} {
		_, n, err := frame.ParseHeader([]byte(wire))
		if e := (*frame.Error)(nil); n != 0 || !errors.As(err, &e) || e.Code != 1002 {
			t.Errorf("% x: got %d, %v; want close code 1002", wire, n, err)
		}
	}
}

func TestNegativeLengthPanics(t *testing.T) {
	mustPanic(t, func() { frame.AppendHeader(nil, frame.Header{Length: -1}) })
}

func TestFrameIsHeaderAndPayload(t *testing.T) {
	key := [4]byte{0xA1, 0xB2, 0xC3, 0xD4}
	for _, size := range []int{0, 1, 3, 4, 125, 126, 300, 65535, 65536, 70001} {
		payload := pattern(size)
		h := frame.Header{Fin: true, Opcode: frame.Binary, Length: int64(size)}

		want := append(frame.AppendHeader([]byte("x"), h), payload...)
		if got := frame.AppendFrame([]byte("x"), frame.Binary, payload); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: AppendFrame differs from header and payload", size)
		}

		h.Masked, h.Key = true, key
		want = frame.AppendHeader([]byte("x"), h)
		for i, c := range payload {
			want = append(want, c^key[i%4])
		}
		if got := frame.AppendMasked([]byte("x"), frame.Binary, payload, key); !bytes.Equal(got, want) {
			t.Errorf("%d bytes: AppendMasked differs from header and masked payload", size)
		}
		if !bytes.Equal(payload, pattern(size)) {
			t.Errorf("%d bytes: AppendMasked changed the payload it was given", size)
		}
	}
}

func TestLongControlFrameIsNeverWritten(t *testing.T) {
	frame.AppendFrame(nil, frame.Ping, make([]byte, frame.MaxControl))
	mustPanic(t, func() { frame.AppendFrame(nil, frame.Ping, make([]byte, frame.MaxControl+1)) })
	mustPanic(t, func() { frame.AppendMasked(nil, frame.Pong, make([]byte, frame.MaxControl+1), [4]byte{}) })
}

func TestWritingIntoSpareRoomDoesNotAllocate(t *testing.T) {
	b := make([]byte, 0, 1024)
	payload := pattern(500)
	if n := testing.AllocsPerRun(100, func() {
		b = frame.AppendFrame(b[:0], frame.Text, payload)
		b = frame.AppendMasked(b[:0], frame.Text, payload, [4]byte{1, 2, 3, 4})
		b = frame.AppendClose(b[:0], 1001, "going away")
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func FuzzHeader(f *testing.F) {
	for _, row := range headers {
		f.Add([]byte(row.wire))
	}
	f.Add([]byte("\x82\x7E\x00\x7D"))
	f.Add([]byte("\x82\x7F\x80\x00\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := frame.ParseHeader(b)
		switch {
		case err != nil:
			if n != 0 {
				t.Fatalf("%d bytes consumed with the error %v", n, err)
			}
		case n == 0:
			if len(b) >= frame.MaxHeader {
				t.Fatalf("more wanted after %d bytes", len(b))
			}
		default:
			// The length has one form only, so that the way back is exact.
			if got := frame.AppendHeader(nil, h); !bytes.Equal(got, b[:n]) {
				t.Fatalf("% x was read as %+v, which is written % x", b[:n], h, got)
			}
		}
	})
}

// pattern returns size bytes without a short period.
func pattern(size int) []byte {
	p := make([]byte, size)
	for i := range p {
		p[i] = byte(i*7 + i/251)
	}
	return p
}

func mustPanic(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	f()
}

func TestTextFrameHoldsText(t *testing.T) {
	for _, row := range []struct{ text, want string }{
		{"", ""},
		{"hello", "hello"},
		{"درود 🐦", "درود 🐦"},
		{strings.Repeat("a", 70_000), strings.Repeat("a", 70_000)},
		{"a\xffb", "a\uFFFDb"},
		{"cut \xd8", "cut \uFFFD"},
		{"\xed\xa0\x80 is half a pair", "\uFFFD is half a pair"},
	} {
		got := frame.AppendText([]byte("before"), row.text)
		want := frame.AppendFrame([]byte("before"), frame.Text, []byte(row.want))
		if !bytes.Equal(got, want) {
			t.Errorf("the frame of %.20q is %.40q, want %.40q", row.text, got, want)
		}
	}
}
