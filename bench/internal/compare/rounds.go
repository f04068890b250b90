package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say what to compare. The zero value compares everything.
type Options struct {
	Quick   bool   // few and short rounds
	Rounds  int    // 0: 15, or 2 if Quick
	Rows    string // names with commas; empty: all that are not extra
	Servers string // names with commas; empty: all
	Docs    bool   // write the pages of docs in both languages, instead of one to standard output
	Samples string // file for the single measurements; empty: none
	From    string // file of an earlier run: measure nothing, make the pages from it
	CPUs    string // "server,load"
}

// A comparison is a run under way.
type comparison struct {
	ctx         context.Context
	o           Options
	tools       *tools
	subjects    []subject
	rows        []row
	serverCPU   string
	loadCPU     string
	report      *report
	began       time.Time
	done, total int
}

// Run compares, and writes the tables when all is measured. Progress goes to
// standard error.
func Run(ctx context.Context, o Options) error {
	if o.Rounds < 0 {
		return fmt.Errorf("-rounds %d: it is 1 or more", o.Rounds)
	}
	if o.Rounds == 0 {
		o.Rounds = 15
		if o.Quick {
			o.Rounds = 2
		}
	}
	c := &comparison{ctx: ctx, o: o, began: time.Now()}
	var err error
	if o.From != "" {
		if c.report, err = loadReport(o.From); err != nil {
			return err
		}
		return c.write()
	}
	if c.serverCPU, c.loadCPU, err = processors(o.CPUs); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "finch-bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if c.tools, err = ready(ctx, dir, c.say); err != nil {
		return err
	}
	if err := c.choose(); err != nil {
		return err
	}
	for i := range c.rows {
		if err := c.measureRow(&c.rows[i]); err != nil {
			return err
		}
	}
	return c.write()
}

func (c *comparison) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%6.0f s  %s\n", time.Since(c.began).Seconds(), fmt.Sprintf(format, args...))
}

// choose picks the rows and the servers.
func (c *comparison) choose() error {
	for _, r := range rows {
		if wanted(c.o.Rows, r.name, !r.extra) {
			if c.o.Quick {
				r.flags = r.quick
			}
			c.rows = append(c.rows, r)
		}
	}
	missing := map[string]string{}
	for _, s := range subjects(c.tools) {
		switch {
		case !wanted(c.o.Servers, s.name, true):
		case s.reason != "":
			missing[s.name] = s.reason
			c.say("without %s: %s", s.name, s.reason)
		default:
			c.subjects = append(c.subjects, s)
		}
	}
	c.report = newReport(c)
	c.report.Missing = missing
	if err := unknown("-rows", c.o.Rows, RowNames()); err != nil {
		return err
	}
	if err := unknown("-servers", c.o.Servers, ServerNames()); err != nil {
		return err
	}
	if len(c.rows) == 0 || len(c.subjects) == 0 {
		return errors.New("there is nothing to compare")
	}
	for i := range c.rows {
		for j := range c.subjects {
			if c.subjects[j].takes(&c.rows[i]) {
				c.total += c.roundsOf(&c.rows[i])
			}
		}
	}
	return nil
}

func wanted(list, name string, otherwise bool) bool {
	if list == "" {
		return otherwise
	}
	for _, w := range strings.Split(list, ",") {
		if w == name {
			return true
		}
	}
	return false
}

func unknown(flag, list string, names []string) error {
	if list == "" {
		return nil
	}
	for _, w := range strings.Split(list, ",") {
		if !wanted(strings.Join(names, ","), w, false) {
			return fmt.Errorf("%s %s: there is none; they are %s", flag, w, strings.Join(names, ", "))
		}
	}
	return nil
}

func (c *comparison) roundsOf(r *row) int {
	switch {
	case r.maxRounds > 0 && c.o.Quick:
		return 1
	case r.maxRounds > 0:
		return min(r.maxRounds, c.o.Rounds)
	}
	return c.o.Rounds
}

// measureRow lets all servers take turns, in another order each round. Servers
// that are not fresh stay from round to round, so that a just-in-time compiler
// has done its work.
func (c *comparison) measureRow(r *row) error {
	running := map[string]*server{}
	defer func() {
		for _, s := range running {
			_ = s.stop()
		}
	}()
	draw := rand.New(rand.NewPCG(2, uint64(len(r.name))))
	for round := range c.roundsOf(r) {
		for _, i := range draw.Perm(len(c.subjects)) {
			s := &c.subjects[i]
			if !s.takes(r) || c.report.Missing[s.name] != "" {
				continue
			}
			at := running[s.name]
			if at == nil {
				var err error
				command := s.command
				if r.secure {
					command = slices.Concat(command, s.secure)
				}
				if at, err = start(c.ctx, command, c.serverCPU); err != nil {
					if c.ctx.Err() != nil {
						return c.ctx.Err()
					}
					c.report.Missing[s.name] = err.Error()
					c.say("without %s: %v", s.name, err)
					continue
				}
				if !r.fresh {
					running[s.name] = at
				}
			}
			err := c.measure(r, s, at, round)
			if r.fresh {
				_ = at.stop()
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// measure runs the load once.
func (c *comparison) measure(r *row, s *subject, at *server, round int) error {
	to := s.endpoint(r.at)
	ws, http := "ws://", "http://"
	if r.secure {
		ws, http = "wss://", "https://"
	}
	args := append([]string{c.tools.finch, "bench"}, r.flags...)
	args = append(args,
		"--insecure-skip-verify", "--url", ws+at.addr+to.path, "--protocol", to.protocol, "--json", "--quiet",
		"--server-pid", strconv.Itoa(at.pid))
	if r.fresh { // what it weighs is the question
		args = append(args, "--settle-url", http+at.addr+"/settle")
	}
	args = pinned(args, c.loadCPU)
	load := exec.CommandContext(c.ctx, args[0], args[1:]...)
	var stderr tail
	load.Stderr = &stderr
	out, err := load.Output()
	c.done++
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	// A run with faults has a result and a bad status: it counts, with a mark.
	var res result
	if bad := json.Unmarshal(out, &res); bad != nil {
		return fmt.Errorf("%s, %s: the load failed: %w %s%s", r.name, s.name, err, &stderr, at.stderr)
	}
	figure := r.figure(&res)
	c.report.Samples = append(c.report.Samples, Sample{
		Row: r.name, Server: s.name, Round: round, Figure: figure,
		P99: time.Duration(res.Latency.P99), Generator: res.Generator.Share, Faulty: res.faulty(),
	})
	mark := ""
	if res.faulty() {
		mark = "  FAULTS: " + strings.TrimSpace(stderr.String())
	}
	c.say("%d of %d  %s  round %d  %s: %s%s", c.done, c.total, r.name, round+1, s.name, r.format(figure), mark)
	return nil
}
