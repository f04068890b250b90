package frame_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

// TestMaskIsExclusiveOr compares with the definition of RFC 6455 section 5.3,
// for all lengths around the strides, alignments and offsets.
func TestMaskIsExclusiveOr(t *testing.T) {
	key := [4]byte{0x37, 0xFA, 0x21, 0x3D}
	for size := range 150 {
		for align := range 8 {
			for pos := range 5 {
				b := pattern(align + size + 8)
				want := bytes.Clone(b)
				for i := range size {
					want[align+i] ^= key[(pos+i)%4]
				}
				frame.Mask(b[align:align+size], key, pos)
				if !bytes.Equal(b, want) {
					t.Fatalf("size %d, alignment %d, offset %d: wrong bytes", size, align, pos)
				}
			}
		}
	}
}

func TestMaskInPiecesIsMaskAtOnce(t *testing.T) {
	key := [4]byte{1, 20, 33, 47}
	want := pattern(200)
	frame.Mask(want, key, 0)
	for first := range 100 {
		for second := first; second < 200; second += 17 {
			got := pattern(200)
			frame.Mask(got[:first], key, 0)
			frame.Mask(got[first:second], key, first)
			frame.Mask(got[second:], key, second)
			if !bytes.Equal(got, want) {
				t.Fatalf("split at %d and %d: wrong bytes", first, second)
			}
		}
	}
}

func BenchmarkMask(b *testing.B) {
	for _, size := range []int{16, 125, 1024, 16 << 10, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := pattern(size)
			key := [4]byte{1, 2, 3, 4}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				frame.Mask(p, key, 0)
			}
		})
	}
}
