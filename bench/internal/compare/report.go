package compare

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// A report is all that was measured, and where. The pages are made from it, now
// or later.
type report struct {
	Date      string            `json:"date"`
	Commit    string            `json:"commit"`
	Processor string            `json:"processor"`
	CPUs      int               `json:"cpus"`
	Kernel    string            `json:"kernel"`
	Go        string            `json:"go"`
	Node      string            `json:"node,omitempty"`
	Quick     bool              `json:"quick,omitempty"`
	Rows      []string          `json:"rows"`
	Versions  map[string]string `json:"versions"`          // by server
	Missing   map[string]string `json:"missing,omitempty"` // by server: why it was not measured
	Samples   []Sample          `json:"samples"`
}

// A Sample is one measurement.
type Sample struct {
	Row       string        `json:"row"`
	Server    string        `json:"server"`
	Round     int           `json:"round"`
	Figure    float64       `json:"figure"` // µs of CPU or KB of memory
	P99       time.Duration `json:"p99_ns,omitempty"`
	Generator float64       `json:"generator_share"` // of a processor
	Faulty    bool          `json:"faulty,omitempty"`
}

func newReport(c *comparison) *report {
	r := &report{
		Date:      time.Now().UTC().Format(time.DateOnly),
		Commit:    firstLine(c.tools.root, "git", "describe", "--always", "--dirty", "--abbrev=12"),
		Processor: processor(), CPUs: runtime.NumCPU(),
		Kernel: firstLine("", "uname", "-r"), Go: strings.TrimPrefix(runtime.Version(), "go"),
		Quick: c.o.Quick, Versions: map[string]string{}, Missing: map[string]string{},
	}
	if c.tools.node != "" {
		r.Node = strings.TrimPrefix(firstLine("", c.tools.node, "--version"), "v")
	}
	for _, row := range c.rows {
		r.Rows = append(r.Rows, row.name)
	}
	for _, s := range c.subjects {
		r.Versions[s.name] = s.version
	}
	return r
}

// loadReport reads what save wrote.
func loadReport(file string) (*report, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s was not written by -samples: %w", file, err)
	}
	return r, unknown(file+":", strings.Join(r.Rows, ","), RowNames())
}

func (r *report) save(file string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}

// measured are the rows of the report in the order of the table.
func (r *report) measured() []row {
	var out []row
	for _, row := range rows {
		if slices.Contains(r.Rows, row.name) {
			if r.Quick {
				row.flags = row.quick
			}
			out = append(out, row)
		}
	}
	return out
}

// processor is the model's name as the kernel has it.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// firstLine is what a program prints first; "unknown" if it fails.
func firstLine(dir, name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
