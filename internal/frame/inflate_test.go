package frame_test

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

const hello = "\xf2\x48\xcd\xc9\xc9\x07\x00" // RFC 7692 section 7.2.3.1

func codeOf(err error) int {
	if err == nil {
		return 0
	}
	var e *frame.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}

func TestMessagesAreInflatedAsRFC7692Says(t *testing.T) {
	tests := []struct {
		rule    string
		section string
		payload string
		want    string
		code    int
	}{
		{"one block", "7.2.3.1", hello, "Hello", 0},
		{"a block without compression", "7.2.3.3", "\x00\x05\x00\xfa\xffHello\x00", "Hello", 0},
		{"a block marked as the last", "7.2.3.4", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "Hello", 0},
		{"two blocks", "7.2.3.5", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "Hello", 0},
		{"an empty message", "7.2.3.6", "\x00", "", 0},
		{"two blocks marked as the last", "7.2.1", "\xf3\x48\xcd\xc9\xc9\x07\x00\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "HelloHello", 0},
		{"a last block, then others", "7.2.1", "\xf3\x48\xcd\xc9\xc9\x07\x00" + hello, "HelloHello", 0},
		{"a tail of zeros marked as the last", "7.2.1", "\xf2\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff\x01", "Hello", 0},
		{"a last block without the byte behind it", "7.2.3.4", "\xf3\x48\xcd\xc9\xc9\x07\x00", "Hello", 0},
		{"no byte at all", "7.2.3.6", "", "", 0},
		{"the tail has not been taken off", "7.2.1", hello + "\x00\x00\xff\xff\x00", "Hello", 0},

		{"a reference to the message before", "7.2.3.2", "\xf2\x00\x11\x00\x00", "", 1007},
		{"a reference before the beginning", "RFC 1951 3.2.3", "\x02\x13\x00\x00", "", 1007},
		{"the reserved kind of block", "RFC 1951 3.2.3", "\x06", "", 1007},
		{"a length that contradicts itself", "RFC 1951 3.2.4", "\x00\x05\x00\xff\xffHello\x00", "", 1007},
		{"less than the length promises", "RFC 1951 3.2.4", "\x00\xff\x00\x00\xffHello", "", 1007},
		{"cut off inside of a block", "7.2.2", "\xf2\x48\xcd\xc9", "", 1007},
		{"bytes behind the message", "7.2.2", hello + "\x06", "", 1007},
		{"text behind a last block", "7.2.2", "\xf3\x48\xcd\xc9\xc9\x07\x00Hello", "", 1007},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got, err := frame.Inflate(frame.Text, []byte(tt.payload), 1<<10)
			if codeOf(err) != tt.code || string(got) != tt.want {
				t.Errorf("section %s: got %q, %v; want %q, %d", tt.section, got, err, tt.want, tt.code)
			}
		})
	}
}

func TestOnlyInflatedTextMustBeUTF8(t *testing.T) {
	broken := []byte("\x00\x02\x00\xfd\xff\xc3\x28\x00")
	if got, err := frame.Inflate(frame.Text, broken, 0); codeOf(err) != 1007 {
		t.Errorf("text: got %q, %v", got, err)
	}
	if got, err := frame.Inflate(frame.Binary, broken, 0); err != nil || string(got) != "\xc3\x28" {
		t.Errorf("binary: got %q, %v", got, err)
	}
}

// deflated compresses with the standard library, as a client would.
func deflated(t testing.TB, message []byte, level int) []byte {
	t.Helper()
	b := new(bytes.Buffer)
	w, err := flate.NewWriter(b, level)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(message)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
}

func TestTheLimitHoldsForWhatIsInflated(t *testing.T) {
	message := bytes.Repeat([]byte("0123456789"), 1000)
	payload := deflated(t, message, 9)
	for _, limit := range []int{0, -1, len(message), len(message) + 1} {
		if got, err := frame.Inflate(frame.Binary, payload, limit); err != nil || !bytes.Equal(got, message) {
			t.Errorf("limit %d: %d bytes, %v", limit, len(got), err)
		}
	}
	for _, limit := range []int{1, len(payload), len(message) - 1} {
		if got, err := frame.Inflate(frame.Binary, payload, limit); codeOf(err) != 1009 {
			t.Errorf("limit %d: %d bytes, %v; want 1009", limit, len(got), err)
		}
	}
}

// A thousand zeros travel in a byte. Refusing it must not cost more
// than the limit allows.
func TestABombIsRefusedBeforeItGrows(t *testing.T) {
	b := new(bytes.Buffer)
	w, _ := flate.NewWriter(b, 9)
	zeros := make([]byte, 1<<20)
	for range 4 {
		w.Write(zeros)
	}
	w.Flush()
	bomb := b.Bytes()
	const limit = 64 << 10
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	before := allocated()
	for range 10 {
		if _, err := frame.Inflate(frame.Binary, bomb, limit); codeOf(err) != 1009 {
			t.Fatal(err)
		}
	}
	if n := (allocated() - before) / 10; n > 6*limit { // with a decompressor, if the pool has none
		t.Errorf("%d bytes are allocated for a limit of %d", n, limit)
	}
}

func TestBlocksBehindALastOneShareItsWindow(t *testing.T) {
	phrase := bytes.Repeat([]byte("to be or not to be. "), 20)
	b := new(bytes.Buffer)
	first, _ := flate.NewWriter(b, 9)
	first.Write(phrase)
	first.Close() // marks its block as the last
	second, _ := flate.NewWriterDict(b, 9, phrase)
	second.Write(phrase)
	second.Flush()
	got, err := frame.Inflate(frame.Text, bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff")), 0)
	if err != nil || string(got) != string(phrase)+string(phrase) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// Each block marked as the last makes the window be copied; thousands of
// blocks that hold nothing must not.
func TestManyLastBlocksCostLittle(t *testing.T) {
	payload := deflated(t, bytes.Repeat([]byte("window "), 8<<10), 9)
	payload = append(payload, "\x00\x00\xff\xff"...)
	for len(payload) < 64<<10 {
		payload = append(payload, 0x03, 0x00) // an empty last block
	}
	payload = append(payload, 0)
	out, err := frame.Inflate(frame.Binary, payload, 64<<10)
	if err != nil || len(out) != 56<<10 {
		t.Fatal(len(out), err)
	}
	if n := frame.HistoryCopied(payload); n > 4<<20 {
		t.Errorf("%d bytes are copied for a message of %d", n, len(payload))
	}
}

func TestInflatingLeavesThePayloadAlone(t *testing.T) {
	payload := []byte(hello + "xyz")
	got, err := frame.Inflate(frame.Text, payload[:len(hello)], 0)
	if err != nil || string(payload) != hello+"xyz" {
		t.Fatalf("%v, %q", err, payload)
	}
	again, _ := frame.Inflate(frame.Text, []byte("\x00\x05\x00\xfa\xffWorld\x00"), 0)
	if string(got) != "Hello" || string(again) != "World" {
		t.Errorf("one message changed another: %q, %q", got, again)
	}
}

// reference inflates with the standard library, up to the end of the first
// block that is marked as the last, and answers how many bytes follow it.
func reference(payload []byte) (message []byte, rest int, err error) {
	src := bytes.NewReader(append(bytes.Clone(payload), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	message, err = io.ReadAll(io.LimitReader(flate.NewReader(src), 1<<20))
	return message, src.Len(), err
}

func FuzzInflate(f *testing.F) {
	for _, seed := range []string{"", "\x00", hello, hello + hello, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "\x03\x00\x03\x00\x00", "\xed\xc0\x01\x01\x00\x00\x00\x80"} {
		f.Add([]byte(seed), uint16(100))
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, level := range []int{flate.HuffmanOnly, 0, 1, 9} {
		words := make([]byte, 3000)
		for i := range words {
			words[i] = "abcdef "[r.IntN(7)]
		}
		f.Add(deflated(f, words, level), uint16(3000))
	}
	f.Fuzz(func(t *testing.T, payload []byte, most uint16) {
		limit := int(most) + 1
		before := bytes.Clone(payload)
		got, err := frame.Inflate(frame.Binary, payload, limit)
		if !bytes.Equal(payload, before) {
			t.Fatal("the payload was changed")
		}
		if err != nil && codeOf(err) != 1007 && codeOf(err) != 1009 {
			t.Fatalf("unexpected error %v", err)
		}
		if len(got) > limit {
			t.Fatalf("%d bytes pass a limit of %d", len(got), limit)
		}
		if len(payload) == 0 {
			return
		}
		// The standard library stops at the first block that is marked as the last,
		// so it can only tell how the message begins.
		want, rest, wantErr := reference(payload)
		whole := rest == 0
		switch {
		case err == nil && wantErr == nil && !bytes.HasPrefix(got, want), err == nil && whole && (wantErr != nil || len(got) != len(want)):
			t.Fatalf("%q gives %q, should give %q, %v", payload, got, want, wantErr)
		case codeOf(err) == 1009 && whole && wantErr == nil && len(want) <= limit, codeOf(err) == 1007 && whole && wantErr == nil:
			t.Fatalf("%q should give %q, but %v", payload, want, err)
		}
	})
}
