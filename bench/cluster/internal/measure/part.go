package measure

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// A figure is one number of a part.
type figure struct {
	name  string
	title string
	unit  unit
	more  bool // more is better
}

// A unit writes a number for people.
type unit func(float64) string

func count(v float64) string { return digits(v) }
func millis(v float64) string {
	if v < 1 {
		return digits(v*1000) + " µs"
	}
	return digits(v) + " ms"
}
func micros(v float64) string  { return digits(v) + " µs" }
func seconds(v float64) string { return digits(v) + " s" }
func bytes(v float64) string {
	if v >= 10_000 {
		return digits(v/1000) + " KB"
	}
	return digits(v) + " B"
}

// digits writes three digits that count.
func digits(v float64) string {
	switch {
	case v >= 1000:
		whole := strconv.Itoa(int(v + 0.5))
		for i := len(whole) - 3; i > 0; i -= 3 {
			whole = whole[:i] + "," + whole[i:]
		}
		return whole
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// A part is one measurement, with one or more figures.
type part struct {
	name    string
	title   string
	about   string
	nodes   int
	servers []string // who takes part
	slow    bool     // a turn takes long: fewer rounds
	figures []figure
	measure func(ctx context.Context, t *turn) (map[string]float64, error)
}

// Sizes say how much is measured.
type Sizes struct {
	Rounds, SlowRounds int
	Warm, Latency      time.Duration // of an open load, at Rates a second
	Rates              []int
	Publish            time.Duration
	Rooms              int // whose memory is measured
	Clients            int // that come back
	Jitters            []time.Duration
	Lead, Trail        time.Duration // what is published before the node dies, and after the last client should be back
	Leader             time.Duration // how long is published while a leader dies
}

// Full is what figures are published from, Quick a first look, and Smoke only says
// that it works.
var (
	Full = Sizes{
		Rounds: 5, SlowRounds: 3, Warm: time.Second, Latency: 6 * time.Second, Rates: []int{1000, 10_000}, Publish: 5 * time.Second,
		Rooms: 100_000, Clients: 5000, Jitters: []time.Duration{5 * time.Second, time.Second},
		Lead: time.Second, Trail: 4 * time.Second, Leader: 20 * time.Second,
	}
	Quick = Sizes{
		Rounds: 3, SlowRounds: 1, Warm: 500 * time.Millisecond, Latency: 2500 * time.Millisecond, Rates: []int{1000, 10_000}, Publish: 2 * time.Second,
		Rooms: 5000, Clients: 1000, Jitters: []time.Duration{time.Second},
		Lead: time.Second, Trail: 2 * time.Second, Leader: 15 * time.Second,
	}
	Smoke = Sizes{
		Rounds: 1, SlowRounds: 1, Warm: 50 * time.Millisecond, Latency: 300 * time.Millisecond, Rates: []int{200}, Publish: 100 * time.Millisecond,
		Rooms: 500, Clients: 20, Jitters: []time.Duration{100 * time.Millisecond},
		Lead: 300 * time.Millisecond, Trail: 700 * time.Millisecond, Leader: 3 * time.Second,
	}
)

// The servers, by the names of flags, and what they are called.
const baseline = "centrifuge-redis"

var serverTitles = []struct{ name, title, side, store string }{
	{"finch-redis", "**Finch**, Redis", "finch", "redis"},
	{"finch-nats-1", "**Finch**, one NATS server", "finch", "nats-1"},
	{"finch-nats-3", "**Finch**, three NATS servers", "finch", "nats-3"},
	{"finch-embedded", "**Finch**, embedded (one node)", "finch", "embedded"},
	{baseline, "Centrifuge, Redis", "centrifuge", "redis"},
}

// ServerNames lists the servers.
func ServerNames() (names []string) {
	for _, s := range serverTitles {
		names = append(names, s.name)
	}
	return names
}

// PartNames lists the parts of the sizes.
func PartNames(s Sizes) (names []string) {
	for _, p := range partsOf(s) {
		names = append(names, p.name)
	}
	return names
}

// ServersOf lists the servers that a part measures.
func ServersOf(s Sizes, name string) []string {
	for _, p := range partsOf(s) {
		if p.name == name {
			return p.servers
		}
	}
	return nil
}

var clusters = []string{"finch-redis", "finch-nats-1", "finch-nats-3", baseline}

func partsOf(s Sizes) (all []part) {
	for _, rate := range s.Rates {
		all = append(all, latencyPart(s, rate))
	}
	all = append(all, publishPart(s), memoryPart(s))
	for _, own := range []bool{false, true} {
		for _, jitter := range s.Jitters {
			all = append(all, resumePart(s, own, jitter))
		}
	}
	return append(all, leaderPart(s))
}

// short writes a time without zeros.
func short(d time.Duration) string { return fmt.Sprintf("%gs", d.Seconds()) }
