package bench_test

import (
	"math/rand/v2"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

func TestBookTellsWhatANumberMeans(t *testing.T) {
	var b bench.Book
	steps := []struct {
		seq  uint32
		want any
		lost uint64 // of ten
	}{
		{0, bench.InOrder, 9},
		{0, bench.Again, 9},
		{5, bench.InOrder, 8},
		{3, bench.TooLate, 7},
		{3, bench.Again, 7},
		{1, bench.TooLate, 6},
		{4, bench.TooLate, 5},
		{2, bench.TooLate, 4},
		{5, bench.Again, 4},
		{9, bench.InOrder, 3},
		{8, bench.TooLate, 2},
	}
	for _, s := range steps {
		if got := b.Take(s.seq); got != s.want {
			t.Errorf("number %d: got %v, want %v", s.seq, got, s.want)
		}
		if got := b.Lost(10); got != s.lost {
			t.Errorf("after number %d: %d lost, want %d", s.seq, got, s.lost)
		}
		if !b.Has(s.seq) {
			t.Errorf("after number %d: the book has it not", s.seq)
		}
	}
	if b.Has(6) || b.Has(7) || b.Has(10) {
		t.Error("the book has what never came")
	}
}

// The book agrees with one that remembers every number.
func TestBookAgreesWithAPlainSet(t *testing.T) {
	draw := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		var b bench.Book
		had, highest := map[uint32]bool{}, int64(-1)
		for range 100 {
			seq := uint32(draw.IntN(40))
			want := bench.InOrder
			switch {
			case had[seq]:
				want = bench.Again
			case int64(seq) < highest:
				want = bench.TooLate
			}
			if got := b.Take(seq); got != want {
				t.Fatalf("number %d with %v: got %v, want %v", seq, had, got, want)
			}
			had[seq], highest = true, max(highest, int64(seq))
		}
		if got := b.Lost(40); got != uint64(40-len(had)) {
			t.Fatalf("%d lost, want %d", got, 40-len(had))
		}
	}
}
