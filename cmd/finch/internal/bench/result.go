package bench

import (
	"cmp"
	"slices"
	"time"
)

// A Result is what a plan came to. Times are in nanoseconds in JSON.
type Result struct {
	Scenario Scenario `json:"scenario"`
	URL      string   `json:"url"`
	Protocol string   `json:"protocol"`

	Opened    int           `json:"opened"`     // sockets that became ready
	OpenTime  time.Duration `json:"open_ns"`    // until the last of them was
	Handshake Summary       `json:"handshake"`  // of each, from when it was due
	Elapsed   time.Duration `json:"elapsed_ns"` // of the measurement

	Sent      uint64 `json:"sent"`      // all in all, warm-up included
	Received  uint64 `json:"received"`  // all in all
	Delivered uint64 `json:"delivered"` // received during the measurement
	Faults    Faults `json:"faults"`

	// Latency is of the messages that were due in the measurement, from then to
	// their arrival.
	Latency Summary `json:"latency"`

	Errors      uint64           `json:"errors"` // sockets that did not open or were dropped
	ErrorCounts []ErrorCount     `json:"error_counts,omitempty"`
	SlowClosed  map[string]int   `json:"slow_closed,omitempty"` // sockets that did not read, by what became of them
	Server      *ServerCost      `json:"server,omitempty"`
	Generator   GeneratorAccount `json:"generator"`
}

// A Summary is a histogram in short.
type Summary struct {
	Count   int64         `json:"count"`
	Mean    time.Duration `json:"mean_ns"`
	P50     time.Duration `json:"p50_ns"`
	P90     time.Duration `json:"p90_ns"`
	P99     time.Duration `json:"p99_ns"`
	P999    time.Duration `json:"p999_ns"`
	Max     time.Duration `json:"max_ns"`
	Buckets []Bucket      `json:"buckets,omitempty"`
}

func summarize(l *Latencies) Summary {
	if l.Count() == 0 {
		return Summary{}
	}
	return Summary{l.Count(), l.Mean(), l.At(50), l.At(90), l.At(99), l.At(99.9), l.Max(), l.Buckets()}
}

// An ErrorCount is a kind of error and how many sockets had it.
type ErrorCount struct {
	Error string `json:"error"`
	Count int    `json:"count"`
}

// ServerCost is what the server's process paid.
type ServerCost struct {
	// CPU is of the measurement; of all handshakes in a connect storm.
	CPU time.Duration `json:"cpu_ns"`
	// CPUPerUnit is CPU for each message that was delivered, or each handshake;
	// zero in idle.
	CPUPerUnit float64 `json:"cpu_per_unit_ns"`
	// Share is CPU as a part of one processor.
	Share float64 `json:"share"`
	// OpenCPU is what it paid until all sockets were open.
	OpenCPU time.Duration `json:"open_cpu_ns"`

	RSSBefore      int64   `json:"rss_before"` // bytes resident before the first socket
	RSSAfter       int64   `json:"rss_after"`  // and with all open: at the end of the rest in idle, else after the last message
	BytesPerSocket float64 `json:"bytes_per_socket"`
}

// GeneratorAccount says whether the generator itself was in the way.
type GeneratorAccount struct {
	Share float64       `json:"share"` // of one processor, in the measurement
	Late  time.Duration `json:"late_p99_ns"`
	// LateMax is how much later than due a message was sent at worst, with a Rate.
	LateMax time.Duration `json:"late_max_ns"`
}

// counts sorts errors, the most frequent first.
func counts(m map[string]int) []ErrorCount {
	var out []ErrorCount
	for text, n := range m {
		out = append(out, ErrorCount{text, n})
	}
	slices.SortFunc(out, func(a, b ErrorCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Error, b.Error))
	})
	return out
}
