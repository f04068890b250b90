package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/finch-go/finch/chaos/internal/fault"
)

// A report is what is shown of a run, besides its story.
type report struct {
	faults   map[fault.Kind]int
	resumes  []time.Duration // from a node's death until 99 % of its clients were back
	services []time.Duration // from a node's start until it reaches the store
	outages  []outage
	when     map[string]time.Duration // from the end of the faults
}

// outage is a time in which a server of the store was dead.
type outage struct {
	kind     fault.Kind
	from, to time.Duration
}

func (p *report) begin(r *run) {
	p.faults, p.when = map[fault.Kind]int{}, map[string]time.Duration{}
	fmt.Fprintf(r.out, "chaos: %s, %v, %d clients, seed %d\n", r.broker, r.length, r.clients, r.seed)
}

// settled notes when something was true first.
func (p *report) settled(what string, took time.Duration) {
	if _, ok := p.when[what]; !ok {
		p.when[what] = took
	}
}

// tellMost is how many violations are told, and eventsMost how many events of the
// first.
const (
	tellMost   = 12
	eventsMost = 40
)

// judge shows the table, and what was broken.
func (r *run) judge() error {
	found := r.story.Judge(r.now(), true)
	r.table()
	if len(found) == 0 {
		fmt.Fprintf(r.out, "%s: nothing lost, nothing twice, nothing out of order.\n", r.broker)
		return nil
	}
	for i, v := range found[:min(tellMost, len(found))] {
		fmt.Fprintln(r.out, "BROKEN", v)
		if i < 2 {
			r.story.Tell(r.out, v, eventsMost)
		}
	}
	kinds := map[string]int{}
	for _, v := range found {
		kinds[v.Kind]++
	}
	return fmt.Errorf("%d promises were broken: %v", len(found), kinds)
}

// table shows what happened.
func (r *run) table() {
	c := r.story.Counts()
	w := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	row := func(what string, format string, args ...any) {
		fmt.Fprintf(w, "  %s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	for _, kind := range slices.Sorted(maps.Keys(r.report.faults)) {
		row(string(kind), "%d", r.report.faults[kind])
	}
	var lost int64
	for _, p := range r.links {
		lost += p.Lost()
	}
	row("messages lost on links on purpose", "%d", lost)
	row("connections", "%d", r.world.Connects.Load())
	row("published, acknowledged", "%d, %d", c.Published, c.Acked)
	row("tried again, found recorded", "%d, %d", c.Retries, c.Duplicates)
	row("deliveries, places moved", "%d, %d", c.Deliveries, c.Moved)
	row("fresh starts, resumes, replayed", "%d, %d, %d", c.Fresh, c.Resumes, c.Replayed)
	row("lagged", "%d", c.Lagged)
	if c.Forgotten > 0 {
		row("keys forgotten with their message", "%d", c.Forgotten)
	}
	var resets []string
	for _, reason := range slices.Sorted(maps.Keys(c.Resets)) {
		resets = append(resets, fmt.Sprintf("%s %d", reason, c.Resets[reason]))
	}
	row("resets", "%s", orNone(strings.Join(resets, ", ")))
	row("ended for a connection given up before", "%d", r.world.Replaced.Load())
	if len(r.nodes) > 1 {
		row("rooms opened at the end, overtaken by their message", "%d, %d", r.opened, r.world.Overtaken.Load())
	}
	r.mu.Lock()
	row("99 % back after a node's death", "%s", times(r.report.resumes))
	row("a node serves after its start", "%s", times(r.report.services))
	gaps := map[fault.Kind][]time.Duration{}
	for _, o := range r.report.outages {
		gap, _ := r.story.Gap(o.from, o.to)
		gaps[o.kind] = append(gaps[o.kind], gap)
	}
	r.mu.Unlock()
	for _, kind := range slices.Sorted(maps.Keys(gaps)) {
		row("longest pause of a room, "+string(kind), "%s", times(gaps[kind]))
	}
	for _, what := range slices.Sorted(maps.Keys(r.report.when)) {
		row("at the end, "+what, "after %.1f s", r.report.when[what].Seconds())
	}
	w.Flush()
}

func times(list []time.Duration) string {
	var words []string
	for _, d := range slices.Sorted(slices.Values(list)) {
		words = append(words, fmt.Sprintf("%.2f s", d.Seconds()))
	}
	return orNone(strings.Join(words, ", "))
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}
