package bench_test

import (
	"testing"
	"time"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

func TestPercentilesAreRightToThreeDigits(t *testing.T) {
	l := bench.NewLatencies()
	for i := 1; i <= 10_000; i++ {
		l.Record(int64(time.Duration(i) * 10 * time.Microsecond))
	}
	tests := []struct {
		name string
		got  time.Duration
		want time.Duration
	}{
		{"median", l.At(50), 50 * time.Millisecond},
		{"p99", l.At(99), 99 * time.Millisecond},
		{"p99.9", l.At(99.9), 99900 * time.Microsecond},
		{"max", l.Max(), 100 * time.Millisecond},
		{"mean", l.Mean(), 50005 * time.Microsecond},
	}
	for _, tt := range tests {
		if off := float64(tt.got-tt.want) / float64(tt.want); off > 0.002 || off < -0.002 {
			t.Errorf("%s: got %v, want %v", tt.name, tt.got, tt.want)
		}
	}
}

func TestBucketsHoldEveryTimeOnceAndInOrder(t *testing.T) {
	l := bench.NewLatencies()
	for _, d := range []time.Duration{0, time.Microsecond, 3 * time.Microsecond, 40 * time.Microsecond, 41 * time.Microsecond, 7 * time.Second, 5 * time.Hour} {
		l.Record(int64(d))
	}
	var sum int64
	at := map[time.Duration]int64{}
	last := time.Duration(0)
	for _, b := range l.Buckets() {
		if b.UpTo <= last {
			t.Errorf("bucket %v follows %v", b.UpTo, last)
		}
		last = b.UpTo
		at[b.UpTo] = b.Count
		sum += b.Count
	}
	if sum != l.Count() || sum != 7 {
		t.Errorf("the buckets hold %d of %d times", sum, l.Count())
	}
	for upTo, want := range map[time.Duration]int64{time.Microsecond: 2, 5 * time.Microsecond: 1, 50 * time.Microsecond: 2, 10 * time.Second: 1} {
		if at[upTo] != want {
			t.Errorf("up to %v: %d, want %d", upTo, at[upTo], want)
		}
	}
}

func TestNothingRecordedIsZero(t *testing.T) {
	l := bench.NewLatencies()
	if l.At(99) != 0 || l.Max() != 0 || len(l.Buckets()) != 0 {
		t.Errorf("an empty histogram says p99 %v, max %v, buckets %v", l.At(99), l.Max(), l.Buckets())
	}
}
