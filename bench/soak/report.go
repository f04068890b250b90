package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// report is what became of one server.
type report struct {
	name                string
	before, peak, after holding
	tally               tally
	faults              []string
	judgeMemory         bool // resident: the race detector keeps what it has
}

// How much more a server may hold at the end than at the start. Buffers that are
// kept for the next client, and what the runtime keeps of goroutines that have
// ended, are no leak as long as they do not grow with the clients.
const (
	moreGoroutines = 2
	moreHeap       = 4 << 20
	moreResident   = 48 << 20
)

// judge adds what is wrong to the faults.
func (r *report) judge() {
	r.faults = append(r.faults, r.tally.faults...)
	if r.tally.more > 0 {
		r.faults = append(r.faults, fmt.Sprintf("and %d more", r.tally.more))
	}
	wrong := func(is bool, format string, args ...any) {
		if is {
			r.faults = append(r.faults, fmt.Sprintf(format, args...))
		}
	}
	b, a := r.before, r.after
	wrong(a.sockets != 0, "%d sockets are left", a.sockets)
	wrong(a.queued != 0, "%d bytes are queued for nobody", a.queued)
	wrong(a.panics != 0, "%d callbacks panicked", a.panics)
	wrong(a.goroutines > b.goroutines+moreGoroutines, "goroutines grew from %d to %d", b.goroutines, a.goroutines)
	wrong(a.files > b.files, "descriptors grew from %d to %d", b.files, a.files)
	wrong(a.heap > b.heap+moreHeap, "the heap grew from %s to %s", megabytes(b.heap), megabytes(a.heap))
	wrong(r.judgeMemory && a.resident > b.resident+moreResident, "memory grew from %s to %s", megabytes(b.resident), megabytes(a.resident))
	wrong(r.tally.echoed.Load() == 0 || r.tally.heard.Load() == 0, "nobody got anything")
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }

// writeTable prints the reports side by side.
func writeTable(out io.Writer, reports []*report) {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	row := func(name string, cell func(r *report) string) {
		fmt.Fprintf(w, "%s\t", name)
		for _, r := range reports {
			fmt.Fprintf(w, "%s\t", cell(r))
		}
		fmt.Fprintln(w)
	}
	count := func(name string, of func(r *report) int64) {
		row(name, func(r *report) string { return fmt.Sprint(of(r)) })
	}
	course := func(name string, of func(h holding) string) {
		row(name, func(r *report) string {
			return fmt.Sprintf("%s / %s / %s", of(r.before), of(r.peak), of(r.after))
		})
	}
	row("", func(r *report) string { return r.name })
	count("sockets opened", func(r *report) int64 { return r.tally.opened.Load() })
	count("echoes, each once and in order", func(r *report) int64 { return r.tally.echoed.Load() })
	count("messages to everyone that were heard", func(r *report) int64 { return r.tally.heard.Load() })
	count("closed for being slow", func(r *report) int64 { return r.after.tooSlow })
	for _, name := range reports[0].tally.roles() {
		count("turns of a "+name, func(r *report) int64 { return int64(r.tally.turns[name]) })
	}
	row("before / at most / after", func(*report) string { return "" })
	course("sockets", func(h holding) string { return fmt.Sprint(h.sockets) })
	course("bytes queued", func(h holding) string { return fmt.Sprint(h.queued) })
	course("goroutines", func(h holding) string { return fmt.Sprint(h.goroutines) })
	course("descriptors", func(h holding) string { return fmt.Sprint(h.files) })
	course("heap", func(h holding) string { return megabytes(h.heap) })
	course("resident", func(h holding) string { return megabytes(h.resident) })
	count("faults", func(r *report) int64 { return int64(len(r.faults)) })
	w.Flush()
}
