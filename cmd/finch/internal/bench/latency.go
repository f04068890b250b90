package bench

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Latencies is a histogram of times, exact to three digits from a microsecond
// to an hour. What lies outside counts as the border.
type Latencies struct{ h *hdrhistogram.Histogram }

const (
	shortest = int64(time.Microsecond)
	longest  = int64(time.Hour)
)

// NewLatencies returns an empty histogram.
func NewLatencies() *Latencies {
	return &Latencies{hdrhistogram.New(shortest, longest, 3)}
}

// Record counts one time, in nanoseconds.
func (l *Latencies) Record(ns int64) {
	// Within the borders there is no error.
	_ = l.h.RecordValue(min(max(ns, shortest), longest))
}

// Count is how many were recorded.
func (l *Latencies) Count() int64 { return l.h.TotalCount() }

// At is the time within which the given percentage lies; zero if none was
// recorded.
func (l *Latencies) At(percentile float64) time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return time.Duration(l.h.ValueAtQuantile(percentile))
}

// Max is the longest time; zero if none was recorded.
func (l *Latencies) Max() time.Duration {
	if l.Count() == 0 {
		return 0
	}
	return time.Duration(l.h.Max())
}

// Mean is the arithmetic mean.
func (l *Latencies) Mean() time.Duration { return time.Duration(l.h.Mean()) }

// A Bucket is the part of a histogram up to a border that the one before has
// not.
type Bucket struct {
	UpTo  time.Duration `json:"up_to_ns"`
	Count int64         `json:"count"`
}

// Buckets groups the times between borders of the series 1, 2, 5, from the
// first that holds anything to the last.
func (l *Latencies) Buckets() []Bucket {
	var out []Bucket
	border, last := shortest, l.h.Max()
	steps := [3]int64{2, 5, 10}
	base, step := shortest, 0
	bars := l.h.Distribution()
	i := 0
	for i < len(bars) {
		var n int64
		for ; i < len(bars) && bars[i].From <= border; i++ {
			n += bars[i].Count
		}
		if n > 0 || len(out) > 0 {
			out = append(out, Bucket{time.Duration(border), n})
		}
		if border >= last {
			break
		}
		border = base * steps[step]
		if step++; step == len(steps) {
			base, step = border, 0
		}
	}
	return out
}
