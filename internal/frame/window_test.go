package frame_test

import (
	"math/bits"
	"testing"
)

// furthestReference decodes the blocks of a compressed payload (RFC 1951), only
// to see how far back their references go.
func furthestReference(t testing.TB, payload []byte) (furthest int) {
	t.Helper()
	r := &bitReader{t: t, b: append(append([]byte(nil), payload...), "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...)}
	length := 0
	for last := false; !last; {
		last = r.bits(1) == 1
		var literals, distances huffman
		switch kind := r.bits(2); kind {
		case 0:
			r.n = (r.n + 7) &^ 7
			n := r.bits(16)
			r.bits(16)
			r.n += 8 * n
			length += n
			continue
		case 1:
			literals, distances = fixedCodes()
		case 2:
			literals, distances = r.codes()
		default:
			t.Fatal("reserved kind of block")
		}
		for {
			s := r.symbol(literals)
			if s == 256 {
				break
			}
			if s < 256 {
				length++
				continue
			}
			n := 258
			if s != 285 {
				n = r.extended(s-257, 4, 3)
			}
			back := r.extended(r.symbol(distances), 2, 1)
			if back > length {
				t.Fatalf("refers %d bytes back after %d", back, length)
			}
			furthest = max(furthest, back)
			length += n
		}
	}
	return furthest
}

type bitReader struct {
	t testing.TB
	b []byte
	n int // bits taken
}

func (r *bitReader) bits(n int) (v int) {
	for i := range n {
		if r.n/8 >= len(r.b) {
			r.t.Fatal("cut off")
		}
		v |= int(r.b[r.n/8]>>(r.n%8)&1) << i
		r.n++
	}
	return v
}

// extended reads a length or a distance: codes come in groups of step, each
// group with one more extra bit than the one before, the first two with none
// (RFC 1951 section 3.2.5).
func (r *bitReader) extended(code, step, base int) int {
	if code < 2*step {
		return base + code
	}
	extra := code/step - 1
	return base + (step+code%step)<<extra + r.bits(extra)
}

// huffman maps a code, behind a one that marks its length, to its symbol.
type huffman map[int]int

// huffmanOf assigns codes as RFC 1951 section 3.2.2 does.
func huffmanOf(lengths []int) huffman {
	h := huffman{}
	code := 0
	for n := 1; n <= 15; n++ {
		for symbol, l := range lengths {
			if l == n {
				h[1<<n|code] = symbol
				code++
			}
		}
		code <<= 1
	}
	return h
}

func (r *bitReader) symbol(h huffman) int {
	for code := 1; bits.Len(uint(code)) <= 16; {
		code = code<<1 | r.bits(1)
		if s, ok := h[code]; ok {
			return s
		}
	}
	r.t.Fatal("no such code")
	return 0
}

func fixedCodes() (literals, distances huffman) {
	var l [288]int
	for i := range l {
		switch {
		case i < 144:
			l[i] = 8
		case i < 256:
			l[i] = 9
		case i < 280:
			l[i] = 7
		default:
			l[i] = 8
		}
	}
	d := make([]int, 30)
	for i := range d {
		d[i] = 5
	}
	return huffmanOf(l[:]), huffmanOf(d)
}

// codes reads the codes of a block that brings its own (RFC 1951 section 3.2.7).
func (r *bitReader) codes() (literals, distances huffman) {
	nl, nd, nc := 257+r.bits(5), 1+r.bits(5), 4+r.bits(4)
	var lengths [19]int
	for _, i := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}[:nc] {
		lengths[i] = r.bits(3)
	}
	h := huffmanOf(lengths[:])
	var all []int
	for len(all) < nl+nd {
		value, times := r.symbol(h), 1
		switch value {
		case 16:
			value, times = all[len(all)-1], 3+r.bits(2)
		case 17:
			value, times = 0, 3+r.bits(3)
		case 18:
			value, times = 0, 11+r.bits(7)
		}
		for range times {
			all = append(all, value)
		}
	}
	return huffmanOf(all[:nl]), huffmanOf(all[nl:])
}
