package compare

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// write writes the page and the samples.
func (c *comparison) write() error {
	if c.o.Samples != "" {
		b, err := json.MarshalIndent(c.samples, "", " ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(c.o.Samples, append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	page := c.page()
	if c.o.Out == "" {
		_, err := io.WriteString(os.Stdout, page)
		return err
	}
	return os.WriteFile(c.o.Out, []byte(page), 0o644)
}

// page is the Markdown.
func (c *comparison) page() string {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n")
	b.WriteString(c.method())
	for i := range c.rows {
		c.table(&b, &c.rows[i])
	}
	if len(c.missing) > 0 {
		b.WriteString("\n## Not measured\n\n")
		for _, title := range slices.Sorted(maps.Keys(c.missing)) {
			fmt.Fprintf(&b, "- %s: %s\n", title, c.missing[title])
		}
	}
	return b.String()
}

// A line is one server in one table.
type line struct {
	title    string
	figure   estimate
	ratio    estimate
	compared bool // there is a ratio
	p99      time.Duration
	rounds   int
	faulty   int
}

func (c *comparison) table(b *strings.Builder, r *row) {
	lines := c.lines(r)
	if len(lines) == 0 {
		return
	}
	latency := false
	for _, l := range lines {
		latency = latency || l.p99 > 0
	}
	fmt.Fprintf(b, "\n## %s\n\n%s: %s. %s; less is better.\n\n", r.title, capital(r.what), r.about(), plural(lines[0].rounds, "round"))
	head, rule := "| server | median | × Finch | interval of × |", "|---|--:|--:|--:|"
	if latency {
		head, rule = head+" latency p99 |", rule+"--:|"
	}
	b.WriteString(head + "\n" + rule + "\n")
	for _, l := range lines {
		ratio, interval := "", ""
		if l.compared {
			ratio = fmt.Sprintf("%.2f", l.ratio.Median)
			interval = fmt.Sprintf("%.2f to %.2f", l.ratio.Low, l.ratio.High)
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |", l.title, r.format(l.figure.Median), ratio, interval)
		switch {
		case l.p99 > 0:
			fmt.Fprintf(b, " %s ms |", threeDigits(float64(l.p99)/1e6))
		case latency:
			b.WriteString(" |")
		}
		b.WriteString("\n")
	}
	for _, l := range lines {
		if l.faulty > 0 {
			fmt.Fprintf(b, "\n%s lost, doubled or reordered messages or dropped sockets in %d of %s.\n", l.title, l.faulty, plural(l.rounds, "round"))
		}
	}
}

// lines are the servers of a row, the cheapest first.
func (c *comparison) lines(r *row) []line {
	figures, latencies := map[string]map[int]float64{}, map[string][]float64{}
	faulty := map[string]int{}
	for _, s := range c.samples {
		if s.Row != r.name {
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
	for _, s := range c.subjects {
		own := figures[s.name]
		if len(own) == 0 {
			continue
		}
		l := line{
			title: s.title, rounds: len(own), faulty: faulty[s.name],
			figure: estimateOf(slices.Sorted(maps.Values(own))), p99: time.Duration(median(latencies[s.name])),
		}
		if s.name != reference && len(figures[reference]) > 0 {
			l.ratio, l.compared = estimateOf(ratios(own, figures[reference])), true
		}
		lines = append(lines, l)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.figure.Median, b.figure.Median) })
	return lines
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
