// Command bench measures Finch beside other WebSocket servers on this machine
// and prints the tables as Markdown:
//
//	go run ./bench -quick            # a first look, in three minutes
//	go run ./bench -docs             # the pages of the documentation
//
// The load comes from `finch bench`, which it builds first. Each server runs on
// one processor and the load on another; the servers take turns in every round,
// so that what the machine does beside it falls on all alike.
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

	"github.com/finch-go/finch/bench/internal/compare"
	"github.com/finch-go/finch/bench/internal/peer"
)

func main() {
	err := run()
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) > 1 && os.Args[1] == "peer" {
		return runPeer(os.Args[2:])
	}
	var o compare.Options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.BoolVar(&o.Quick, "quick", false, "few and short rounds: a first look, whose intervals are wide")
	flags.IntVar(&o.Rounds, "rounds", 0, "`rounds` of each row (default 15; 2 with -quick)")
	flags.StringVar(&o.Rows, "rows", "", "only these rows, by `names` with commas between: "+strings.Join(compare.RowNames(), ", "))
	flags.StringVar(&o.Servers, "servers", "", "only these servers, by `names` with commas between: "+strings.Join(compare.ServerNames(), ", "))
	flags.BoolVar(&o.Docs, "docs", false, "write docs/en/benchmarks.md and docs/fa/benchmarks.md instead of printing")
	flags.StringVar(&o.Samples, "samples", "", "`file` for every single measurement, as JSON")
	flags.StringVar(&o.From, "from", "", "`file` of an earlier -samples: measure nothing, make the pages from it")
	flags.StringVar(&o.CPUs, "cpus", "0,1", "`processors` of the server and of the load")
	if err := flags.Parse(os.Args[1:]); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("there is no argument %q; see -help", flags.Arg(0))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
	return compare.Run(ctx, o)
}

// runPeer serves one of the servers that Finch is measured beside.
func runPeer(args []string) error {
	flags := flag.NewFlagSet("bench peer", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "`host:port` to listen on")
	secure := flags.Bool("tls", false, "speak wss, with a certificate made for the occasion")
	if len(args) == 0 {
		return fmt.Errorf("usage: bench peer NAME [-tls] [-addr HOST:PORT], where NAME is one of %s", strings.Join(peer.Names(), ", "))
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	return peer.Serve(args[0], *addr, *secure, os.Stdout)
}
