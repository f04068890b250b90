package frame_test

import (
	"bytes"
	"compress/flate"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

// prose makes n bytes that compress about as well as chat does, with phrases
// that come back after any distance.
func prose(n int, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 7))
	var phrases [40]string
	for i := range phrases {
		b := make([]byte, 4+r.IntN(20))
		for j := range b {
			b[j] = byte('a' + r.IntN(26))
		}
		phrases[i] = string(b)
	}
	b := make([]byte, 0, n+24)
	for len(b) < n {
		b = append(b, phrases[r.IntN(len(phrases))]...)
		b = append(b, ' ')
	}
	return b[:n]
}

// compressed takes the payload out of a frame that AppendFrame made.
func compressed(t testing.TB, b []byte) []byte {
	t.Helper()
	h, n, err := frame.ParseHeader(b)
	if err != nil || n == 0 || !h.RSV1 || !h.Fin || h.Masked || int64(len(b)-n) != h.Length {
		t.Fatalf("not one whole compressed frame: %+v, %v", h, err)
	}
	return b[n:]
}

func TestACompressedFrameIsReadBack(t *testing.T) {
	for _, level := range []int{1, 2, 6, 7, 9} {
		d := frame.NewDeflater(level)
		for _, size := range []int{400, 1 << 10, 40 << 10, 150 << 10} {
			message := prose(size, uint64(size))
			for _, bits := range []int{8, 12, 15} {
				b := d.AppendFrame([]byte("before"), frame.Text, message, bits)
				b, ok := bytes.CutPrefix(b, []byte("before"))
				if !ok || len(b) == 0 {
					t.Fatalf("level %d, %d bytes, window %d: not compressed", level, size, bits)
				}
				var p frame.Parser
				ev, n, err := p.Next(&frame.Config{Client: true, Deflate: true}, b)
				if err != nil || n != len(b) || ev.Opcode != frame.Text || !ev.Compressed {
					t.Fatalf("level %d, %d bytes, window %d: parsed as %v, %v", level, size, bits, ev.Opcode, err)
				}
				if got, err := frame.Inflate(ev.Opcode, ev.Payload, size); err != nil || !bytes.Equal(got, message) {
					t.Fatalf("level %d, %d bytes, window %d: inflated to %d bytes, %v", level, size, bits, len(got), err)
				}
				if got, _, err := reference(ev.Payload); err != nil || !bytes.Equal(got, message) {
					t.Fatalf("level %d, %d bytes, window %d: the standard library inflates to %d bytes, %v", level, size, bits, len(got), err)
				}
			}
		}
	}
}

// The peer's window is as small as it said (RFC 7692 section 7.1.2.1), and a
// reference beyond it would be garbage there.
func TestNothingRefersPastTheWindow(t *testing.T) {
	for bits := frame.MinWindowBits; bits <= frame.MaxWindowBits; bits++ {
		d := frame.NewDeflater(1)
		reached := 0
		for _, size := range []int{200, 1<<bits - 1, 1 << bits, 1<<bits + 1, 3 << bits, 80 << 10} {
			for seed := range uint64(2) {
				b := d.AppendFrame(nil, frame.Binary, prose(size, seed), bits)
				if len(b) == 0 {
					continue
				}
				furthest := furthestReference(t, compressed(t, b))
				if furthest > 1<<bits {
					t.Fatalf("window of %d bits, %d bytes: refers %d bytes back", bits, size, furthest)
				}
				reached = max(reached, furthest)
			}
		}
		if reached < 1<<(bits-1) {
			t.Errorf("window of %d bits: no reference goes further back than %d; the test would see no fault", bits, reached)
		}
	}
}

func TestAMessageThatDoesNotShrinkIsNotCompressed(t *testing.T) {
	d := frame.NewDeflater(1)
	noise := make([]byte, 5000)
	for i := range noise {
		noise[i] = byte(rand.New(rand.NewPCG(uint64(i), 3)).Uint32())
	}
	for _, message := range [][]byte{nil, {}, []byte("a"), noise} {
		if b := d.AppendFrame([]byte("x"), frame.Binary, message, 15); string(b) != "x" {
			t.Errorf("%d bytes became a frame of %d", len(message), len(b)-1)
		}
	}
}

func TestOneMessageDoesNotDependOnAnother(t *testing.T) {
	for _, bits := range []int{8, 15} {
		d := frame.NewDeflater(1)
		message := prose(2000, 1)
		first := d.AppendFrame(nil, frame.Text, message, bits)
		for range 100 {
			d.AppendFrame(nil, frame.Text, prose(3000, 2), bits)
			if again := d.AppendFrame(nil, frame.Text, message, bits); !bytes.Equal(again, first) {
				t.Fatalf("window of %d bits: the same message is compressed in two ways", bits)
			}
		}
	}
}

func TestManyGoroutinesShareADeflater(t *testing.T) {
	d := frame.NewDeflater(1)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				message := prose(400+37*i, uint64(g))
				bits := frame.MinWindowBits + (g+i)%8
				payload := compressed(t, d.AppendFrame(nil, frame.Text, message, bits))
				if got, err := frame.Inflate(frame.Text, payload, 0); err != nil || !bytes.Equal(got, message) {
					t.Errorf("%d bytes, window %d: %v", len(message), bits, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestWhatCannotBeCompressedPanics(t *testing.T) {
	d := frame.NewDeflater(1)
	for name, f := range map[string]func(){
		"level 0":          func() { frame.NewDeflater(0) },
		"level 10":         func() { frame.NewDeflater(10) },
		"a control frame":  func() { d.AppendFrame(nil, frame.Ping, make([]byte, 100), 15) },
		"a fragment":       func() { d.AppendFrame(nil, frame.Continuation, make([]byte, 100), 15) },
		"window of 7 bits": func() { d.AppendFrame(nil, frame.Text, make([]byte, 100), 7) },
		"no window":        func() { d.AppendFrame(nil, frame.Text, make([]byte, 100), 16) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
}

func FuzzDeflate(f *testing.F) {
	f.Add([]byte("Hello"), uint8(0), uint8(7))
	f.Add(prose(3000, 1), uint8(8), uint8(0))
	f.Add(bytes.Repeat([]byte{0}, 70000), uint8(4), uint8(1))
	f.Add([]byte(strings.Repeat("abcd", 100)+strings.Repeat("x", 300)+strings.Repeat("abcd", 100)), uint8(5), uint8(0))
	f.Fuzz(func(t *testing.T, message []byte, level, window uint8) {
		bits := frame.MinWindowBits + int(window)%8
		d := frame.NewDeflater(1 + int(level)%9)
		b := d.AppendFrame(nil, frame.Binary, message, bits)
		if len(b) == 0 {
			return
		}
		payload := compressed(t, b)
		if len(payload) >= len(message) {
			t.Fatalf("%d bytes became %d", len(message), len(payload))
		}
		if got, err := frame.Inflate(frame.Binary, payload, len(message)); err != nil || !bytes.Equal(got, message) {
			t.Fatalf("inflated to %d of %d bytes, %v", len(got), len(message), err)
		}
		if furthest := furthestReference(t, payload); furthest > 1<<bits {
			t.Fatalf("window of %d bits: refers %d bytes back", bits, furthest)
		}
	})
}

func BenchmarkDeflate(b *testing.B) {
	message := prose(1<<10, 1)
	d := frame.NewDeflater(1)
	b.ReportAllocs()
	b.SetBytes(int64(len(message)))
	for b.Loop() {
		d.AppendFrame(nil, frame.Text, message, 15)
	}
}

func BenchmarkInflate(b *testing.B) {
	payload := deflated(b, prose(1<<10, 1), flate.DefaultCompression)
	b.ReportAllocs()
	b.SetBytes(1 << 10)
	for b.Loop() {
		if _, err := frame.Inflate(frame.Text, payload, 0); err != nil {
			b.Fatal(err)
		}
	}
}
