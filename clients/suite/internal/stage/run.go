package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/scripted"
)

// Config says how to run scenarios.
type Config struct {
	// Driver is the command that starts the driver: words separated by blanks,
	// no shell.
	Driver string
	// Parallel is how many scenarios are played at a time; zero is 8.
	Parallel int
	// Strict makes a skipped scenario a failed one, unless all that the client
	// lacks is in MayLack.
	Strict  bool
	MayLack []string
	// Out gets one line for each scenario, and what the driver prints. nil:
	// nothing is shown.
	Out io.Writer
	// Trace says to write every command and report to Out as well.
	Trace bool
}

// A Result is what became of one scenario.
type Result struct {
	Scenario Scenario
	Took     time.Duration
	Err      error    // nil: it passed, or was skipped
	Lacks    []string // the features for want of which it was skipped
}

// maxStarts bounds how often a driver is started that keeps ending.
const maxStarts = 4

// Run plays the scenarios and returns a result for each, in their order. The
// error is not nil if they could not be played at all.
func Run(ctx context.Context, scenarios []Scenario, cfg Config) ([]Result, error) {
	server, err := scripted.Listen()
	if err != nil {
		return nil, err
	}
	defer server.Close()
	r := &run{ctx: ctx, cfg: cfg, server: server, out: &lines{w: cfg.Out}}
	defer r.close()
	if _, err := r.liveDriver(); err != nil {
		return nil, err
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 8
	}
	results := make([]Result, len(scenarios))
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(cfg.Parallel, len(scenarios)) {
		workers.Go(func() {
			for i := range next {
				results[i] = r.play(scenarios[i])
				r.say(results[i])
			}
		})
	}
	for i := range scenarios {
		next <- i
	}
	close(next)
	workers.Wait()
	return results, nil
}

// run is one call of Run.
type run struct {
	ctx    context.Context
	cfg    Config
	server *scripted.Server
	out    *lines

	mu      sync.Mutex // guards everything below
	driver  *Driver
	started int
}

// liveDriver returns the driver, and starts it if there is none or it ended.
func (r *run) liveDriver() (*Driver, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.driver != nil && !r.driver.Ended() {
		return r.driver, nil
	}
	if r.driver != nil {
		r.driver.Close()
	}
	if r.started == maxStarts {
		return nil, errors.New("the driver keeps ending")
	}
	r.started++
	var trace func(string)
	if r.cfg.Trace {
		trace = func(s string) { fmt.Fprintln(r.out, s) }
	}
	d, err := StartDriver(r.ctx, r.server, r.cfg.Driver, r.out, trace)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(r.out, "driver of %s\n", d.Name)
	r.driver = d
	return d, nil
}

func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.driver != nil {
		r.driver.Close()
	}
}

func (r *run) play(sc Scenario) Result {
	result := Result{Scenario: sc}
	driver, err := r.liveDriver()
	if err != nil {
		result.Err = err
		return result
	}
	if result.Lacks = driver.Lacks(sc.Needs); len(result.Lacks) > 0 {
		missed := slices.DeleteFunc(slices.Clone(result.Lacks), func(f string) bool { return slices.Contains(r.cfg.MayLack, f) })
		if r.cfg.Strict && len(missed) > 0 {
			result.Err = fmt.Errorf("the client lacks %s, and nothing may be skipped", strings.Join(missed, " and "))
		}
		return result
	}
	begun := time.Now()
	result.Err = Play(r.ctx, sc, r.server, driver)
	result.Took = time.Since(begun)
	return result
}

func (r *run) say(res Result) {
	switch {
	case res.Err != nil:
		fmt.Fprintf(r.out, "FAIL %s (%s)\n%v\n", res.Scenario.Name, res.Scenario.Checks, res.Err)
	case len(res.Lacks) > 0:
		fmt.Fprintf(r.out, "skip %s: the client lacks %s\n", res.Scenario.Name, strings.Join(res.Lacks, " and "))
	default:
		fmt.Fprintf(r.out, "ok   %s (%.2fs)\n", res.Scenario.Name, res.Took.Seconds())
	}
}

// lines lets several goroutines write.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(b []byte) (int, error) {
	if l.w == nil {
		return len(b), nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}
