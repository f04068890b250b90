package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/bench/cluster/internal/stage"
)

// A Sample is what one turn measured: its figures by name, in the units of the
// part.
type Sample struct {
	Part    string             `json:"part"`
	Server  string             `json:"server"`
	Round   int                `json:"round"`
	Figures map[string]float64 `json:"figures"`
}

// A report is all that was measured, and where.
type report struct {
	Date      string            `json:"date"`
	Commit    string            `json:"commit"`
	Processor string            `json:"processor"`
	CPUs      int               `json:"cpus"`
	Kernel    string            `json:"kernel"`
	Go        string            `json:"go"`
	Versions  map[string]string `json:"versions"`
	Samples   []Sample          `json:"samples"`
	Failures  []string          `json:"failures,omitempty"`
}

func newReport(ctx context.Context) report {
	r := report{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: says(ctx, "git", "describe", "--always", "--dirty", "--abbrev=12"),
		Processor: processor(), CPUs: runtime.NumCPU(), Kernel: says(ctx, "uname", "-r"),
		Go: strings.TrimPrefix(runtime.Version(), "go"), Versions: map[string]string{},
	}
	if program, err := stage.RedisProgram(); err == nil {
		r.Versions["Redis"] = redisVersion(says(ctx, program, "--version"))
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			switch m.Path {
			case "github.com/centrifugal/centrifuge":
				r.Versions["Centrifuge"] = m.Version
			case "github.com/nats-io/nats-server/v2":
				r.Versions["nats-server"] = m.Version
			}
		}
	}
	return r
}

// redisVersion takes the version out of what the server says of itself.
func redisVersion(line string) string {
	for word := range strings.FieldsSeq(line) {
		if version, ok := strings.CutPrefix(word, "v="); ok {
			return version
		}
	}
	return line
}

// processor is the model's name as the kernel has it.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo") // without it the architecture has to do
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// says is what a program prints first; "unknown" if it fails.
func says(ctx context.Context, name string, args ...string) string {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

func (r *report) save(file string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// Samples reads the file that Options.JSON names.
func Samples(file string) ([]Sample, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var r report
	if err := json.Unmarshal(b, &r); err != nil {
		return nil, fmt.Errorf("%s holds no measurements: %w", file, err)
	}
	return r.Samples, nil
}

// of answers a figure's samples of one server, by round.
func (r *report) of(part, server, figure string) map[int]float64 {
	all := map[int]float64{}
	for _, s := range r.Samples {
		if v, ok := s.Figures[figure]; ok && s.Part == part && s.Server == server {
			all[s.Round] = v
		}
	}
	return all
}

// write writes the tables.
func (r *report) write(out io.Writer, parts []part) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s by `go run ./bench/cluster` at commit `%s`: %s, %d processors, Linux %s, Go %s", r.Date, r.Commit, r.Processor, r.CPUs, r.Kernel, r.Go)
	for _, name := range []string{"Redis", "nats-server", "Centrifuge"} {
		if v := r.Versions[name]; v != "" {
			fmt.Fprintf(&b, ", %s %s", name, v)
		}
	}
	fmt.Fprintf(&b, `. Everything runs on these
processors: two nodes, the broker and the clients. Messages have 200 bytes; rooms keep %d of them for %s, on both
sides, and clients know their position and are caught up. The servers take turns in every round, in an order drawn anew, each
with fresh processes; × is the ratio to Centrifuge within a round, in brackets the interval that holds its median in 95 of 100
cases (percentile bootstrap).
`, node.HistorySize, "five minutes")
	for i := range parts {
		r.writePart(&b, &parts[i])
	}
	for _, failure := range r.Failures {
		fmt.Fprintf(&b, "\nFailed: %s\n", failure)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func (r *report) writePart(b *strings.Builder, p *part) {
	rounds := 0
	for _, s := range r.Samples {
		if s.Part == p.name {
			rounds = max(rounds, s.Round+1)
		}
	}
	fmt.Fprintf(b, "\n### %s\n\n%s Rounds: %d.\n\n| server |", p.title, p.about, rounds)
	for _, f := range p.figures {
		better := "less is better"
		if f.more {
			better = "more is better"
		}
		fmt.Fprintf(b, " %s (%s) | × Centrifuge |", f.title, better)
	}
	b.WriteString("\n|---|" + strings.Repeat("--:|--:|", len(p.figures)) + "\n")
	for _, s := range serverTitles {
		var row strings.Builder
		measured := false
		for _, f := range p.figures {
			samples := r.of(p.name, s.name, f.name)
			measured = measured || len(samples) > 0
			row.WriteString(cell(samples, r.of(p.name, baseline, f.name), f, s.name == baseline))
		}
		if measured {
			fmt.Fprintf(b, "| %s |%s\n", s.title, row.String())
		}
	}
}

// cell writes a figure's median, and its ratio to the baseline.
func cell(samples, base map[int]float64, f figure, isBase bool) string {
	if len(samples) == 0 {
		return "  |  |"
	}
	var all, ratios []float64
	for round, v := range samples {
		all = append(all, v)
		if base[round] > 0 {
			ratios = append(ratios, v/base[round])
		}
	}
	text := " " + f.unit(quantile(all, 0.5)) + " |"
	if isBase || len(ratios) == 0 {
		return text + "  |"
	}
	e := estimateOf(ratios)
	return text + fmt.Sprintf(" %.2f (%.2f to %.2f) |", e.median, e.low, e.high)
}
