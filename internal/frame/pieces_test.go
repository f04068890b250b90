package frame_test

import "iter"

// pieces splits b into pieces of the given sizes, over and over; a size of 0 is
// an empty piece, and no sizes at all is one piece.
func pieces(b, sizes []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for i := 0; len(b) > 0; i++ {
			n := len(b)
			if len(sizes) > 0 {
				n = min(n, int(sizes[i%len(sizes)]))
				// A round of empty pieces alone would never end.
				if n == 0 && i >= len(sizes) {
					n = 1
				}
			}
			if !yield(b[:n:n]) {
				return
			}
			b = b[n:]
		}
	}
}
