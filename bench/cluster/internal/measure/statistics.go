package measure

import (
	"math/rand/v2"
	"slices"
	"time"
)

// An estimate is a median with the interval that holds it in 95 of 100 cases.
type estimate struct{ median, low, high float64 }

// resamples is how often the bootstrap draws; more changes the third digit.
const resamples = 4000

// estimateOf takes the middle 95 % of the medians of samples that are drawn again
// and again, with replacement (the percentile bootstrap). It draws the same each
// time.
func estimateOf(samples []float64) estimate {
	if len(samples) == 0 {
		return estimate{}
	}
	draw := rand.New(rand.NewPCG(1, uint64(len(samples))))
	medians, again := make([]float64, resamples), make([]float64, len(samples))
	for i := range medians {
		for j := range again {
			again[j] = samples[draw.IntN(len(samples))]
		}
		medians[i] = quantile(again, 0.5)
	}
	return estimate{quantile(samples, 0.5), quantile(medians, 0.025), quantile(medians, 0.975)}
}

// quantile lies between the two samples that are nearest; 0 if there is none.
func quantile[T float64 | time.Duration](samples []T, q float64) T {
	if len(samples) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(samples))
	at := q * float64(len(s)-1)
	i := int(at)
	if i+1 >= len(s) {
		return s[i]
	}
	return s[i] + T((at-float64(i))*float64(s[i+1]-s[i]))
}
