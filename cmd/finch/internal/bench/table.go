package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteTable writes the result for people.
func (r *Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("finch bench", "%s  %s  (%s)", r.Scenario, r.URL, r.Protocol)
	row("sockets", "%s open in %s", number(uint64(r.Opened)), short(r.OpenTime))
	row("handshake", "%s", r.Handshake)
	if r.Sent > 0 && r.Scenario != Idle {
		rate := 0.0
		if r.Elapsed > 0 {
			rate = float64(r.Delivered) / r.Elapsed.Seconds()
		}
		row("messages", "%s sent, %s delivered; %s/s over %s", number(r.Sent), number(r.Received), number(uint64(rate)), short(r.Elapsed))
		row("latency", "%s", r.Latency)
		f := &r.Faults
		row("faults", "%s lost, %s duplicated, %s reordered, %s corrupt, %s unexpected", number(f.Lost), number(f.Duplicated), number(f.Reordered), number(f.Corrupt), number(f.Unexpected))
	}
	row("errors", "%s", number(r.Errors))
	for _, e := range r.ErrorCounts {
		row("", "%s × %s", number(uint64(e.Count)), e.Error)
	}
	if r.SlowClosed != nil {
		row("slow sockets", "%s", slowList(r.SlowClosed))
	}
	if c := r.Server; c != nil {
		if c.CPUPerUnit > 0 {
			row("server CPU", "%.2f µs for each %s; %.0f %% of one processor", c.CPUPerUnit/1e3, r.unit(), c.Share*100)
		} else {
			row("server CPU", "%.1f %% of one processor", c.Share*100)
		}
		row("server memory", "%s before, %s with all sockets open: %s for each", size(float64(c.RSSBefore)), size(float64(c.RSSAfter)), size(c.BytesPerSocket))
	}
	if g := &r.Generator; r.Elapsed > 0 {
		line := fmt.Sprintf("%.0f %% of one processor", g.Share*100)
		if g.LateMax > 0 {
			line += fmt.Sprintf("; sent at most %s late (p99 %s)", short(g.LateMax), short(g.Late))
		}
		row("generator", "%s", line)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	shown := &r.Latency
	if r.Sent == 0 {
		shown = &r.Handshake
	}
	_, err := io.WriteString(w, shown.bars())
	return err
}

// unit is what CPUPerUnit counts.
func (r *Result) unit() string {
	switch r.Scenario {
	case Connect:
		return "handshake"
	case Fanout, Slow:
		return "delivery"
	}
	return "message"
}

// String is the percentiles in one line.
func (s Summary) String() string {
	if s.Count == 0 {
		return "none"
	}
	return fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", short(s.P50), short(s.P90), short(s.P99), short(s.P999), short(s.Max))
}

// barWidth is the longest bar in characters.
const barWidth = 40

// bars draws the histogram.
func (s Summary) bars() string {
	var most int64
	for _, b := range s.Buckets {
		most = max(most, b.Count)
	}
	if most == 0 {
		return ""
	}
	var out strings.Builder
	for _, b := range s.Buckets {
		n := int(math.Ceil(float64(b.Count) / float64(most) * barWidth))
		fmt.Fprintf(&out, "%10s |%-*s %s\n", "≤ "+short(b.UpTo), barWidth, strings.Repeat("#", n), number(uint64(b.Count)))
	}
	return out.String()
}

// slowList writes what became of slow sockets in one line.
func slowList(m map[string]int) string {
	var parts []string
	for _, e := range counts(m) {
		parts = append(parts, fmt.Sprintf("%d %s", e.Count, e.Error))
	}
	return strings.Join(parts, ", ")
}

// number groups digits by thousands.
func number(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// short writes a time with three digits.
func short(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return three(float64(d)/1e3) + " µs"
	case d < time.Second:
		return three(float64(d)/1e6) + " ms"
	}
	return three(d.Seconds()) + " s"
}

// size writes bytes with three digits.
func size(bytes float64) string {
	switch a := math.Abs(bytes); {
	case a < 1e3:
		return three(bytes) + " B"
	case a < 1e6:
		return three(bytes/1e3) + " KB"
	case a < 1e9:
		return three(bytes/1e6) + " MB"
	}
	return three(bytes/1e9) + " GB"
}

func three(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || a == 0:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case a >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}
