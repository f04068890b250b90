package compare_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/finch-go/finch/bench/internal/compare"
)

func TestTheMedianIsInTheMiddle(t *testing.T) {
	tests := []struct {
		samples []float64
		want    float64
	}{
		{nil, 0},
		{[]float64{3}, 3},
		{[]float64{9, 1, 5}, 5},
		{[]float64{4, 1, 3, 2}, 2.5},
	}
	for _, tt := range tests {
		if got, low, high := compare.Estimate(tt.samples); got != tt.want || low > got || high < got {
			t.Errorf("of %v: %v in %v to %v, want %v", tt.samples, got, low, high, tt.want)
		}
	}
}

// The interval is said to hold the true median in 95 of 100 cases; with few
// samples the percentile bootstrap holds it a little less often.
func TestTheIntervalHoldsTheTrueMedian(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 4))
	held := 0
	for range 40 {
		samples := make([]float64, 15)
		for i := range samples {
			samples[i] = 10 + draw.NormFloat64()
		}
		if _, low, high := compare.Estimate(samples); low <= 10 && 10 <= high {
			held++
		}
	}
	if held < 35 || held == 40 {
		t.Errorf("it held in %d of 40 cases", held)
	}
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	got := compare.Ratios(map[int]float64{0: 10, 1: 30, 2: 5}, map[int]float64{0: 5, 1: 10, 3: 1})
	if want := []float64{2, 3}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
