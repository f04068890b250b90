package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"time"
)

// Options say what to measure. With the sizes alone everything is.
type Options struct {
	Sizes    Sizes
	Parts    string // names with commas; empty: all
	Servers  string // names with commas; empty: all
	JSON     string // file for every single measurement; empty: none
	Profiles string // folder for CPU profiles of the nodes; empty: none
	Out      io.Writer
	Progress io.Writer
}

// A run is under way.
type run struct {
	o      Options
	parts  []part
	report report
	began  time.Time
}

// Run measures, and writes the tables as Markdown when all is done. What a server
// fails in is told and left out; that nothing was measured is an error.
func Run(ctx context.Context, o Options) error {
	r := &run{o: o, began: time.Now(), report: newReport(ctx)}
	if err := r.choose(); err != nil {
		return err
	}
	for i := range r.parts {
		if err := r.measure(ctx, &r.parts[i]); err != nil {
			return err
		}
	}
	if o.JSON != "" {
		if err := r.report.save(o.JSON); err != nil {
			return err
		}
	}
	if len(r.report.Failures) > 0 {
		defer fmt.Fprintf(o.Progress, "%d turns failed\n", len(r.report.Failures))
	}
	if len(r.report.Samples) == 0 {
		return errors.New("nothing could be measured")
	}
	return r.report.write(o.Out, r.parts)
}

func (r *run) say(format string, args ...any) {
	fmt.Fprintf(r.o.Progress, "%6.0f s  %s\n", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// choose picks the parts and their servers.
func (r *run) choose() error {
	if err := unknown("-servers", r.o.Servers, ServerNames()); err != nil {
		return err
	}
	if err := unknown("-parts", r.o.Parts, PartNames(r.o.Sizes)); err != nil {
		return err
	}
	for _, p := range partsOf(r.o.Sizes) {
		p.servers = slices.DeleteFunc(slices.Clone(p.servers), func(s string) bool { return !wanted(r.o.Servers, s) })
		if wanted(r.o.Parts, p.name) && len(p.servers) > 0 {
			r.parts = append(r.parts, p)
		}
	}
	if len(r.parts) == 0 {
		return errors.New("there is nothing to measure")
	}
	return nil
}

func wanted(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

func unknown(flag, list string, names []string) error {
	for name := range strings.SplitSeq(list, ",") {
		if list != "" && !slices.Contains(names, name) {
			return fmt.Errorf("%s %s: there is none; they are %s", flag, name, strings.Join(names, ", "))
		}
	}
	return nil
}

// measure lets the servers of a part take turns, in another order each round.
func (r *run) measure(ctx context.Context, p *part) error {
	rounds := r.o.Sizes.Rounds
	if p.slow {
		rounds = r.o.Sizes.SlowRounds
	}
	draw := rand.New(rand.NewPCG(2, uint64(len(p.name))))
	for round := range rounds {
		for _, i := range draw.Perm(len(p.servers)) {
			server := p.servers[i]
			figures, err := r.turn(ctx, p, server, round)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				r.say("%s  round %d of %d  %s: FAILED: %v", p.name, round+1, rounds, server, err)
				r.report.Failures = append(r.report.Failures, fmt.Sprintf("%s, %s: %v", p.name, server, err))
				continue
			}
			r.report.Samples = append(r.report.Samples, Sample{p.name, server, round, figures})
			r.say("%s  round %d of %d  %s: %s", p.name, round+1, rounds, server, p.describe(figures))
		}
	}
	return nil
}

func (r *run) turn(ctx context.Context, p *part, server string, round int) (map[string]float64, error) {
	t, done, err := newTurn(ctx, server, p.nodes, r.o.Sizes, round)
	if err != nil {
		return nil, err
	}
	defer done()
	t.profiles = profilesOf(r.o.Profiles, p.name, server)
	if t.profiles != "" {
		if err := os.MkdirAll(r.o.Profiles, 0o755); err != nil {
			return nil, err
		}
	}
	return p.measure(ctx, t)
}

// describe writes the figures of one turn.
func (p *part) describe(figures map[string]float64) string {
	var all []string
	for _, f := range p.figures {
		if v, ok := figures[f.name]; ok {
			all = append(all, f.title+" "+f.unit(v))
		}
	}
	return strings.Join(all, ", ")
}
