// Command chaos breaks a system of Finch nodes in every way that it knows, while
// clients use it, and checks afterwards that nothing that was promised was broken:
//
//	go run ./chaos -broker nats -for 45s -seed 7
//
// See README.md beside it.
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
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/finch-go/finch/chaos/internal/server"
)

func main() {
	err := dispatch(os.Args[1:], os.Stdout)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

// dispatch runs a subcommand, which is a part of a run, or a whole run.
func dispatch(args []string, out io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "node":
			n, err := server.ParseNode(args[1:])
			if err != nil {
				return err
			}
			return n.Run()
		case "nats":
			n, err := server.ParseNATS(args[1:])
			if err != nil {
				return err
			}
			return n.Run()
		}
	}
	o, err := parse(args)
	if err != nil {
		return err
	}
	if runtime.GOOS != "linux" {
		if os.Getenv("FINCH_CI") != "" {
			return errors.New("processes are stopped and killed: this needs Linux")
		}
		fmt.Fprintln(out, "SKIPPED: processes are stopped and killed, which needs Linux")
		return nil
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if o.prove != "" {
		return prove(ctx, o.prove, o.seed, out)
	}
	for _, broker := range strings.Split(o.brokers, ",") {
		if err := perform(ctx, o, broker, out); err != nil {
			return fmt.Errorf("%s, seed %d: %w", broker, o.seed, err)
		}
	}
	return nil
}

// options are the command line of a run.
type options struct {
	brokers string
	length  time.Duration
	seed    uint64
	clients int
	rate    float64
	lose    float64
	open    int
	long    bool
	verbose bool
	keep    bool
	prove   string
}

// brokers are those that a run knows.
var brokers = []string{"memory", "embedded", "nats", "redis", "redis-cluster", "redis-sentinel"}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("chaos", flag.ContinueOnError)
	flags.StringVar(&o.brokers, "broker", "nats", "what joins the nodes, several with commas between: "+strings.Join(brokers, ", "))
	flags.DurationVar(&o.length, "for", 45*time.Second, "how long things go wrong")
	flags.Uint64Var(&o.seed, "seed", 0, "what all choices begin with; 0 draws one")
	flags.IntVar(&o.clients, "clients", 48, "how many clients there are")
	flags.Float64Var(&o.rate, "rate", 120, "publishes a second, all together")
	flags.Float64Var(&o.lose, "lose", 0.005, "the share of messages that links lose all the time")
	flags.IntVar(&o.open, "open", 16, "rooms that are opened at the end, by each of four ways between servers")
	flags.BoolVar(&o.long, "long", false, "roll the store back once, and let all servers die at one time; by itself from 2 minutes on")
	flags.BoolVar(&o.verbose, "v", false, "say what goes wrong when it does, and what nodes said")
	flags.BoolVar(&o.keep, "keep", false, "keep the directory with what servers wrote")
	flags.StringVar(&o.prove, "prove", "", "run products that lack something, and show that each is found: 'all', or those with this `word`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, b := range strings.Split(o.brokers, ",") {
		if !slices.Contains(brokers, b) {
			return o, fmt.Errorf("-broker: there is no %q", b)
		}
	}
	if o.clients < 6 || o.rate <= 0 || o.length < 0 || o.open < 0 || flags.NArg() > 0 {
		return o, errors.New("-clients is at least 6, -rate more than 0, -for and -open not negative, and there are no further arguments")
	}
	o.long = o.long || o.length >= 2*time.Minute
	if o.seed == 0 {
		o.seed = rand.Uint64()>>32 + 1
	}
	return o, nil
}
