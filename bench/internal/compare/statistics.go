package compare

import (
	"math/rand/v2"
	"slices"
)

// An estimate is a median with the interval that holds it in 95 of 100 cases.
type estimate struct{ Median, Low, High float64 }

// resamples is how often the bootstrap draws; more changes the third digit.
const resamples = 4000

// estimateOf draws as many samples as there are, with replacement, again and
// again, and takes the middle 95 % of their medians (the percentile bootstrap).
// The draws are the same each time, so that a page can be made again from its
// samples.
func estimateOf(samples []float64) estimate {
	if len(samples) == 0 {
		return estimate{}
	}
	draw := rand.New(rand.NewPCG(1, uint64(len(samples))))
	medians := make([]float64, resamples)
	again := make([]float64, len(samples))
	for i := range medians {
		for j := range again {
			again[j] = samples[draw.IntN(len(samples))]
		}
		medians[i] = median(again)
	}
	slices.Sort(medians)
	return estimate{median(samples), medians[resamples*25/1000], medians[resamples*975/1000]}
}

// median does not change its argument.
func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Clone(v)
	slices.Sort(s)
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// ratios divides the samples of the same rounds.
func ratios(of, by map[int]float64) []float64 {
	var out []float64
	for round, v := range of {
		if d := by[round]; d > 0 {
			out = append(out, v/d)
		}
	}
	slices.Sort(out)
	return out
}
