// Command cluster measures Finch on two nodes, with each of its brokers, beside
// Centrifuge with its Redis broker, and prints the tables as Markdown:
//
//	go run ./bench/cluster -quick        # a first look
//	go run ./bench/cluster               # what figures are published from
//
// It needs redis-server on the PATH, and Linux. Everything is on the loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/finch-go/finch/bench/cluster/internal/measure"
	"github.com/finch-go/finch/bench/cluster/internal/stage"
)

func main() {
	err := run(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if ok, err := stage.RunPart(args); ok {
		return err
	}
	o := measure.Options{Out: os.Stdout, Progress: os.Stderr}
	var quick bool
	var rounds int
	flags := flag.NewFlagSet("cluster", flag.ContinueOnError)
	flags.BoolVar(&quick, "quick", false, "less of everything: a first look, whose intervals are wide")
	flags.IntVar(&rounds, "rounds", 0, "`rounds` of each part (default 5, and 3 of parts that take long; 3 and 1 with -quick)")
	flags.StringVar(&o.Parts, "parts", "", "only these parts, by `names` with commas between: "+strings.Join(measure.PartNames(measure.Full), ", "))
	flags.StringVar(&o.Servers, "servers", "", "only these servers, by `names` with commas between: "+strings.Join(measure.ServerNames(), ", "))
	flags.StringVar(&o.JSON, "json", "", "`file` for every single measurement")
	flags.StringVar(&o.Profiles, "profiles", "", "`folder` for CPU profiles of the nodes, where a part has one load")
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.Sizes = measure.Full
	if quick {
		o.Sizes = measure.Quick
	}
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("there is no argument %q; see -help", flags.Arg(0))
	case rounds < 0:
		return fmt.Errorf("-rounds %d: it is 1 or more", rounds)
	case rounds > 0:
		o.Sizes.Rounds, o.Sizes.SlowRounds = rounds, rounds
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	return measure.Run(ctx, o)
}
