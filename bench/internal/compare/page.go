package compare

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// page is the report as Markdown in one language.
func (r *report) page(w *words) string {
	var b strings.Builder
	b.WriteString(w.top(r))
	for _, row := range r.measured() {
		r.table(&b, w, &row)
	}
	if len(r.Missing) > 0 {
		fmt.Fprintf(&b, "\n## %s\n\n", w.missing)
		for _, name := range slices.Sorted(maps.Keys(r.Missing)) {
			fmt.Fprintf(&b, "- %s: %s\n", w.titleOf(name, r.Versions[name]), w.reasonOf(r.Missing[name]))
		}
	}
	b.WriteString(w.bottom)
	return b.String()
}

// A line is one server in one table.
type line struct {
	server   string
	figure   estimate
	ratio    estimate
	compared bool // there is a ratio
	p99      time.Duration
	rounds   int
	faulty   int
}

func (r *report) table(b *strings.Builder, w *words, row *row) {
	lines := r.lines(row)
	if len(lines) == 0 {
		return
	}
	latency := slices.ContainsFunc(lines, func(l line) bool { return l.p99 > 0 })
	of := w.rows[row.name]
	fmt.Fprintf(b, "\n## %s\n\n%s\n\n", of.title, w.caption(of, row.sockets(), lines[0].rounds))
	columns := w.columns[:4]
	if latency {
		columns = w.columns[:]
	}
	b.WriteString("| " + strings.Join(columns, " | ") + " |\n|---" + strings.Repeat("|--:", len(columns)-1) + "|\n")
	for _, l := range lines {
		cells := []string{w.titleOf(l.server, r.Versions[l.server]), w.figure(row.format(l.figure.Median)), "", ""}
		if l.compared {
			cells[2] = fmt.Sprintf("%.2f", l.ratio.Median)
			cells[3] = w.interval(fmt.Sprintf("%.2f", l.ratio.Low), fmt.Sprintf("%.2f", l.ratio.High))
		}
		if latency {
			cells = append(cells, "")
			if l.p99 > 0 {
				cells[4] = w.figure(threeDigits(float64(l.p99)/1e6) + " ms")
			}
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	for _, l := range lines {
		if l.faulty > 0 {
			fmt.Fprintf(b, "\n%s\n", w.faulty(w.titleOf(l.server, r.Versions[l.server]), l.faulty, l.rounds))
		}
	}
}

// lines are the servers of a row, the cheapest first.
func (r *report) lines(row *row) []line {
	figures, latencies := map[string]map[int]float64{}, map[string][]float64{}
	faulty := map[string]int{}
	for _, s := range r.Samples {
		if s.Row != row.name {
			continue
		}
		if figures[s.Server] == nil {
			figures[s.Server] = map[int]float64{}
		}
		figures[s.Server][s.Round] = s.Figure
		latencies[s.Server] = append(latencies[s.Server], float64(s.P99))
		if s.Faulty {
			faulty[s.Server]++
		}
	}
	var lines []line
	for _, name := range slices.Sorted(maps.Keys(figures)) {
		own := figures[name]
		l := line{
			server: name, rounds: len(own), faulty: faulty[name],
			figure: estimateOf(slices.Sorted(maps.Values(own))), p99: time.Duration(median(latencies[name])),
		}
		if name != reference && len(figures[reference]) > 0 {
			l.ratio, l.compared = estimateOf(ratios(own, figures[reference])), true
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.figure.Median, b.figure.Median) })
	return lines
}
