// Command soak lets a crowd of clients use and abuse servers for a while, and
// then looks at what is left:
//
//	go run ./bench/soak -for 10m
//
// Honest clients talk, listen and come back; others send garbage, vanish, flood,
// never read, never finish. Nothing that was said to or by an honest one may be
// lost, doubled or out of order, and when all have left, the servers must hold
// what they held before: goroutines, descriptors, memory, counters.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	err := run(os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	length  time.Duration
	seed    uint64
	clients int
	race    bool
	servers string
}

// A kind is a way to run the server.
type kind struct {
	name  string
	flags []string
	tls   bool
}

var kinds = []kind{
	{name: "epoll", flags: []string{"--engine=epoll"}},
	{name: "portable", flags: []string{"--engine=portable"}},
	{name: "tls", flags: []string{"--tls"}, tls: true},
}

func run(out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.DurationVar(&o.length, "for", 10*time.Minute, "how long the clients go on")
	flags.Uint64Var(&o.seed, "seed", 0, "what the clients' choices begin with; 0 draws one")
	flags.IntVar(&o.clients, "clients", 60, "`clients` of each server at a time")
	flags.BoolVar(&o.race, "race", true, "build the server with the race detector")
	flags.StringVar(&o.servers, "servers", "", "only these, by `names` with commas between: epoll, portable, tls")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	chosen, err := choose(o.servers)
	if err != nil {
		return err
	}
	if o.clients < len(roles) {
		return fmt.Errorf("-clients %d: there are %d kinds of them", o.clients, len(roles))
	}
	if runtime.GOOS != "linux" {
		if os.Getenv("FINCH_CI") != "" {
			return errors.New("what a process holds is read from /proc: this needs Linux")
		}
		fmt.Fprintln(out, "SKIPPED: what a process holds is read from /proc, which needs Linux")
		return nil
	}
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	program, remove, err := build(ctx, o.race)
	if err != nil {
		return err
	}
	defer remove()
	fmt.Fprintf(out, "soak: %v, %d clients of each server, seed %d\n", o.length, o.clients, o.seed)
	reports := make([]*report, len(chosen))
	errs := make([]error, len(chosen))
	var wg sync.WaitGroup
	for i, k := range chosen {
		wg.Go(func() { reports[i], errs[i] = soak(ctx, program, k, o) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	writeTable(out, reports)
	var faults []string
	for _, r := range reports {
		for _, fault := range r.faults {
			faults = append(faults, r.name+": "+fault)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("seed %d:\n%s", o.seed, strings.Join(faults, "\n"))
	}
	return nil
}

func choose(names string) ([]kind, error) {
	if names == "" {
		return kinds, nil
	}
	var chosen []kind
	for name := range strings.SplitSeq(names, ",") {
		found := false
		for _, k := range kinds {
			if k.name == name {
				chosen, found = append(chosen, k), true
			}
		}
		if !found {
			return nil, fmt.Errorf("-servers: there is no %q", name)
		}
	}
	return chosen, nil
}

const (
	warmUp = 2 * time.Second  // all that is made once has been made after it
	settle = 40 * time.Second // for what the last clients have left behind to end
)

// soak is the life of one server.
func soak(ctx context.Context, program string, k kind, o options) (*report, error) {
	s, err := start(program, k)
	if err != nil {
		return nil, err
	}
	defer s.kill()
	r := &report{name: k.name, judgeMemory: !o.race}
	c := &crowd{server: s, seed: o.seed, size: o.clients, tally: &r.tally}
	c.run(ctx, warmUp, nil)
	if r.before, err = s.rest(ctx); err != nil {
		return nil, err
	}
	c.run(ctx, o.length, func() error {
		now, err := s.look()
		r.peak = r.peak.most(now)
		return err
	})
	if ctx.Err() != nil {
		return nil, errors.New("interrupted")
	}
	if r.after, err = s.rest(ctx); err != nil {
		return nil, err
	}
	r.judge()
	if err := s.stop(); err != nil {
		r.faults = append(r.faults, err.Error())
	}
	return r, nil
}
