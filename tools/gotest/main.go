// Command gotest runs go test and prints what a person wants to read: one line
// for each package, the whole output of what failed, and every skipped test by
// name. The complete log goes to a file.
//
//	gotest [-log FILE] ARGUMENTS OF GO TEST...
//
// It exits with 1 if a test failed. If FINCH_CI is set a skipped test is a
// failure as well, so that no suite can vanish in silence.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	args := os.Args[1:]
	log := io.Discard
	if len(args) >= 2 && args[0] == "-log" {
		f, err := os.Create(args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, "gotest:", err)
			os.Exit(2)
		}
		defer f.Close()
		log, args = f, args[2:]
	}
	code, err := run(args, log)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		code = 2
	}
	os.Exit(code)
}

// run answers the exit code; err is set if go test could not be run at all.
func run(args []string, log io.Writer) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	r := newReport(os.Stdout, log)
	if err := r.read(out); err != nil {
		return 0, err
	}
	failed := cmd.Wait() != nil
	r.summary(time.Now())
	if len(r.skipped) > 0 && os.Getenv("FINCH_CI") != "" {
		fmt.Fprintln(r.to, "FAIL  in CI (FINCH_CI) a skipped test is a failure")
		failed = true
	}
	if failed {
		return 1, nil
	}
	return 0, nil
}

// event is one line of go test -json; see go doc cmd/test2json.
type event struct {
	Action, Package, Test, Output, ImportPath, FailedBuild string
	Elapsed                                                float64
}

// report gathers the events of one run.
type report struct {
	to, log io.Writer
	start   time.Time
	output  map[string][]string // of tests and packages that still run, by package and test
	passed  map[string]int      // tests, by package
	skipped []string
	total   int
	failed  int
}

func newReport(to, log io.Writer) *report {
	return &report{to: to, log: log, start: time.Now(), output: map[string][]string{}, passed: map[string]int{}}
}

func (r *report) read(from io.Reader) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			fmt.Fprintln(r.to, lines.Text()) // not an event: go itself speaks
			continue
		}
		fmt.Fprint(r.log, e.Output)
		r.add(e)
	}
	return lines.Err()
}

func (r *report) add(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		fmt.Fprint(r.to, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e)
		}
		delete(r.output, key)
	}
}

func (r *report) endTest(e event) {
	r.total++
	switch e.Action {
	case "pass":
		r.passed[e.Package]++
	case "skip":
		reason := strings.TrimSpace(strings.Join(reasons(r.output[e.Package+" "+e.Test]), " "))
		r.skipped = append(r.skipped, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason))
	case "fail":
		r.failed++
		r.print(e)
	}
}

func (r *report) endPackage(e event) {
	switch {
	case e.Action == "fail":
		// What runs no more but never ended, such as a test that hung or panicked.
		for key := range r.output {
			if strings.HasPrefix(key, e.Package+" ") && key != e.Package+" " {
				fmt.Fprint(r.to, strings.Join(r.output[key], ""))
				delete(r.output, key)
			}
		}
		r.print(e)
		fmt.Fprintf(r.to, "FAIL  %s (%.1f s)\n", e.Package, e.Elapsed)
	case e.Action == "pass":
		fmt.Fprintf(r.to, "ok    %s (%d tests, %.1f s)\n", e.Package, r.passed[e.Package], e.Elapsed)
	}
}

func (r *report) print(e event) {
	fmt.Fprint(r.to, strings.Join(r.output[e.Package+" "+e.Test], ""))
}

func (r *report) summary(now time.Time) {
	fmt.Fprintf(r.to, "%d tests, %d failed, %d skipped, %.0f s\n", r.total, r.failed, len(r.skipped), now.Sub(r.start).Seconds())
	for _, s := range r.skipped {
		fmt.Fprintln(r.to, "SKIPPED", s)
	}
}

// reasons drops go test's own lines from the output of a skipped test.
func reasons(output []string) []string {
	var kept []string
	for _, line := range output {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			kept = append(kept, line)
		}
	}
	return kept
}
