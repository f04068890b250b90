package differential_test

import (
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

var seed = flag.Uint64("seed", 0, "what the streams from chance begin with; 0: the time")

var judges = []judge{gorilla, gobwas}

// seeds are streams, most of which a server takes; they show the fuzzer what
// frames look like.
func seeds() [][]byte {
	f := func(b0 byte, payload string) string {
		return string(masked(b0, uint64(len(payload)), 0, []byte(payload)))
	}
	var all [][]byte
	for _, s := range []string{
		"",
		f(0x81, "hello") + f(0x82, "\x00\xFF") + f(0x88, "\x03\xE8bye"),
		f(0x01, "\xD8") + f(0x89, "p") + f(0x00, "") + f(0x80, "\xB3") + f(0x8A, ""),
		f(0x81, "سلام 🐦") + f(0x81, "\xF0\x9F\x90"),
		f(0x81, "\xED\xA0\x80"), f(0x01, "\xC0") + f(0x80, "\xAF"),
		f(0x88, ""), f(0x88, "\x03"), f(0x88, "\x03\xEE"), f(0x88, "\x03\xF6"), f(0x88, "\x13\x88"), f(0x88, "\x0B\xB8\xFF"),
		f(0x01, "a") + f(0x88, "\x03\xE9") + f(0x80, "b"),
		f(0xC1, "a"), f(0x83, "a"), f(0x09, "a"), f(0x80, "a"), f(0x01, "a") + f(0x81, "b"), f(0x8B, ""),
		string(masked(0x82, 126, 0, make([]byte, 126))), string(masked(0x82, 300, 0, make([]byte, 300))),
		string(masked(0x82, 5, 2, []byte("hello"))), string(masked(0x82, 5, 8, []byte("hello"))), string(masked(0x82, 1<<63, 8, nil)),
		string(masked(0x89, 126, 0, make([]byte, 126))), string(masked(0x81, 1<<40, 0, []byte("abc"))),
		"\x81\x05hello", "\x89\x00", "GET / HTTP/1.1\r\n\r\n",
	} {
		all = append(all, []byte(s))
	}
	return all
}

// masked is a frame with a header that says whatever it is told; wide is how many
// bytes its length has beyond the first, 0 for as few as there can be.
func masked(b0 byte, length uint64, wide int, payload []byte) []byte {
	if wide == 0 && length > 125 {
		if wide = 2; length > 65535 {
			wide = 8
		}
	}
	b := []byte{b0}
	switch wide {
	case 0:
		b = append(b, 0x80|byte(length))
	case 2:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(length))
	case 8:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), length)
	}
	key := [4]byte{0x37, 0xFA, 0x00, 0xFF}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

func FuzzParsersAgree(f *testing.F) {
	for i, s := range seeds() {
		f.Add(s, []byte{}, uint16(0))
		f.Add(s, []byte{1}, uint16(0))
		f.Add(s, []byte{3, 0, 7}, uint16(i))
	}
	f.Fuzz(func(t *testing.T, stream, sizes []byte, limit uint16) {
		if len(stream) > 16<<10 {
			return
		}
		for _, j := range judges {
			j.compare(t, stream, sizes, int(limit))
		}
	})
}

// TestParsersAgreeOnStreamsFromChance makes streams that are nearly right, which
// a fuzzer that knows no frames rarely finds.
func TestParsersAgreeOnStreamsFromChance(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	r := rand.New(rand.NewPCG(*seed, 0))
	took, refused := 0, 0
	for n := range 20_000 {
		stream, sizes, limit := chance(r), make([]byte, r.IntN(4)), 0
		for i := range sizes {
			sizes[i] = byte(r.IntN(40))
		}
		if r.IntN(4) == 0 {
			limit = 1 + r.IntN(300)
		}
		for _, j := range judges {
			j.compare(t, stream, sizes, limit)
		}
		if v := ours(t, stream, nil, 0); v.refused == "" {
			took++
		} else {
			refused++
		}
		if t.Failed() {
			t.Fatalf("stream %d; go test -run %s -seed %d ./bench/internal/differential", n, t.Name(), *seed)
		}
	}
	if took < 2000 || refused < 2000 {
		t.Errorf("%d streams were taken and %d refused: one side is hardly tested", took, refused)
	}
}

// texts have runes of every length, and sequences that are none.
var texts = []string{"", "a", "hello", "سلام", "🐦", "é\x00", "\xD8", "\xB3", "\xF0\x9F", "\x90\xA6", "\xFF", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xEF\xBF\xBF"}

// chance makes a conversation of a few frames, and does something to one in two.
func chance(r *rand.Rand) (b []byte) {
	inside := false
	for range 1 + r.IntN(6) {
		var b0 byte
		var payload []byte
		switch r.IntN(10) {
		case 0, 1: // a control frame
			b0 = 0x80 | []byte{9, 10}[r.IntN(2)]
			payload = make([]byte, []int{0, 1, 20, 125, 126}[r.IntN(5)*r.IntN(2)])
		case 2: // goodbye
			b0 = 0x88
			payload = binary.BigEndian.AppendUint16(nil, []uint16{1000, 1000 + uint16(r.IntN(20)), uint16(r.IntN(6000)), 2999 + uint16(r.IntN(3)), 4999 + uint16(r.IntN(2))}[r.IntN(5)])
			payload = append(payload, texts[r.IntN(len(texts))]...)
			payload = payload[:min(len(payload), len(payload)-r.IntN(3)*r.IntN(2))]
		default: // a message or a fragment
			fin := byte(r.IntN(2)) << 7
			b0 = fin | byte(1+r.IntN(2))
			if inside {
				b0 = fin
			}
			inside = fin == 0
			for range 1 + r.IntN(3) {
				payload = append(payload, texts[r.IntN(6+r.IntN(len(texts)-5))]...)
			}
			if r.IntN(12) == 0 {
				payload = append(payload, make([]byte, r.IntN(400))...)
			}
		}
		wide := 0
		if r.IntN(30) == 0 {
			wide = []int{2, 8}[r.IntN(2)]
		}
		b = append(b, masked(b0, uint64(len(payload)), wide, payload)...)
	}
	switch r.IntN(6) {
	case 0:
		b[r.IntN(len(b))] ^= 1 << r.IntN(8)
	case 1:
		b = b[:r.IntN(len(b))]
	case 2:
		b[r.IntN(min(2, len(b)))] ^= 1 << r.IntN(8)
	}
	return b
}
