package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

// benchFlags are the flags of all scenarios.
type benchFlags struct {
	plan   bench.Plan
	bounds bench.Bounds
	json   bool
	quiet  bool
}

func newBench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Put load on a WebSocket server and measure what becomes of it",
		Long: `Put load on a WebSocket server: Finch's or any other that sends back, or hands
on to everyone, what it gets.

Every payload bears a number, so that messages that are lost, doubled or out of
order are found; any of them makes the exit status 1. With --rate latency counts
from the moment at which a message was due, not from when it could be sent.`,
		Example: `  finch bench serve --addr 127.0.0.1:3000
  finch bench echo --url ws://127.0.0.1:3000/echo --sockets 500 --in-flight 16
  finch bench fanout --url ws://127.0.0.1:3000/ws --protocol finch --sockets 1000 --rate 100`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		newScenario(bench.Idle, "Hold sockets that say nothing, and weigh them", func(p *bench.Plan, c *cobra.Command) {
			c.Flags().BoolVar(&p.Touch, "touch", false, "let each socket speak once before it rests: an echo of 1 KB and a ping")
		}),
		newScenario(bench.Echo, "Each socket gets back what it sends", trafficFlags),
		newScenario(bench.Fanout, "What a few sockets send reaches all", func(p *bench.Plan, c *cobra.Command) {
			trafficFlags(p, c)
			fanoutFlags(p, c)
		}),
		newScenario(bench.Connect, "A storm of handshakes", func(p *bench.Plan, c *cobra.Command) {
			c.Flags().Float64Var(&p.Rate, "rate", 0, "handshakes each second, whatever became of those before (default: as --in-flight lets)")
			c.Flags().IntVar(&p.InFlight, "in-flight", 0, "handshakes under way at a time when there is no --rate (default 64)")
		}),
		newScenario(bench.Slow, "As fanout, while some sockets do not read", func(p *bench.Plan, c *cobra.Command) {
			trafficFlags(p, c)
			fanoutFlags(p, c)
			c.Flags().IntVar(&p.SlowSockets, "slow", 0, "`sockets` that do not read (default a tenth)")
		}),
		newBenchServe(),
	)
	return cmd
}

func trafficFlags(p *bench.Plan, c *cobra.Command) {
	c.Flags().Float64Var(&p.Rate, "rate", 0, "messages each second, of all sockets together, whatever became of those before (default: as --in-flight lets)")
	c.Flags().IntVar(&p.InFlight, "in-flight", 0, "messages under way at a time when there is no --rate: of each socket in echo, else of all (default 1)")
	c.Flags().IntVar(&p.Size, "size", 0, fmt.Sprintf("bytes of each payload, at least %d (default 128)", bench.MinSize))
	c.Flags().BoolVar(&p.Binary, "binary", false, "send binary frames (--protocol raw and finch)")
	c.Flags().DurationVar(&p.Warmup, "warmup", time.Second, "load before the measurement")
}

func fanoutFlags(p *bench.Plan, c *cobra.Command) {
	c.Flags().IntVar(&p.Publishers, "publishers", 0, "`sockets` that send, of each room (default 1, or one for each message in flight)")
	c.Flags().IntVar(&p.Rooms, "rooms", 1, "`rooms` that the sockets are spread over; {room} in the URL is the number of a socket's own")
}

// newScenario makes the subcommand of one scenario; own adds what only it has.
func newScenario(s bench.Scenario, short string, own func(*bench.Plan, *cobra.Command)) *cobra.Command {
	f := &benchFlags{plan: bench.Plan{Scenario: s}}
	cmd := &cobra.Command{
		Use:   string(s) + " --url ws://HOST:PORT/PATH",
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
			defer stop()
			return f.run(ctx, cmd)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	p := &f.plan
	flags.StringVar(&p.URL, "url", "", "the server's `address`, ws://HOST:PORT/PATH")
	flags.StringVar(&p.Protocol, "protocol", "raw", "what the server wants around a payload: "+strings.Join(bench.Protocols(), ", "))
	flags.IntVar(&p.Sockets, "sockets", 100, "how many sockets to open")
	own(p, cmd)
	if s != bench.Connect {
		flags.DurationVar(&p.Duration, "duration", 10*time.Second, "how long to measure")
	}
	flags.DurationVar(&p.Timeout, "timeout", 10*time.Second, "how long a handshake, and at the end the last message, may take")
	flags.BoolVar(&p.Browser, "browser", false, "send the headers that a browser does")
	flags.StringArrayVar(&p.Header, "header", nil, "one more `\"Name: value\"` for the handshake; may be repeated")
	flags.BoolVar(&p.InsecureSkipVerify, "insecure-skip-verify", false, "take any certificate of a wss:// server, such as that of finch bench serve --tls")
	flags.IntVar(&p.ServerPID, "server-pid", 0, "`process` on this machine whose CPU time and memory are read")
	flags.StringVar(&p.SettleURL, "settle-url", "", "`address` to fetch before memory is read, so that the server can free what it does not use (/settle of finch bench serve)")
	flags.Uint64Var(&f.bounds.Errors, "max-errors", 0, "`sockets` that may fail before the exit status is 1")
	flags.DurationVar(&f.bounds.P99, "max-p99", 0, "latency at the 99th percentile above which the exit status is 1 (default: any)")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
	flags.BoolVar(&f.quiet, "quiet", false, "no progress on standard error")
	return cmd
}

func (f *benchFlags) run(ctx context.Context, cmd *cobra.Command) error {
	if !f.quiet {
		f.plan.Progress = cmd.ErrOrStderr()
	}
	result, err := bench.Run(ctx, f.plan)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return errors.New("stopped before the measurement was over")
		}
		return err
	}
	if f.json {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		err = out.Encode(result)
	} else {
		err = result.WriteTable(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	return f.bounds.Check(result)
}

func newBenchServe() *cobra.Command {
	var options bench.ServerOptions
	addr := "127.0.0.1:3000"
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the addresses that the scenarios speak to, without limits",
		Long: `Serve, for the scenarios to speak to:

  /echo    raw: sends back what it gets, text and binary, up to 16 MiB
  /ws      a SocketManager: path echo answers the sender, path all sends to everyone
  /room    sockets join room bench, or ?room=bench:1: path room sends there, publish records
  /tens    sockets are in three rooms of ten, with presence
  /settle  gives memory back to the system, then answers
  /stats   what the process holds, as JSON

Nothing here slows a client down that floods, but for --limits: do not leave it
open to the world.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop)
			defer stop()
			return serveBench(ctx, cmd, addr, options)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", addr, "`host:port` to listen on; port 0 picks a free one")
	cmd.Flags().StringVar(&options.Engine, "engine", "", "what holds the connections: epoll or portable (default: the best there is)")
	cmd.Flags().BoolVar(&options.Limits, "limits", false, "keep the limits that a program has which sets none")
	cmd.Flags().BoolVar(&options.TLS, "tls", false, "speak https and wss, with a certificate made for the occasion")
	return cmd
}

// serveBench serves until ctx ends. The first line that it prints tells the
// address and the process, for --url and --server-pid.
func serveBench(ctx context.Context, cmd *cobra.Command, addr string, options bench.ServerOptions) error {
	options.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelWarn}))
	app, err := bench.NewServer(options)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(listener) }()
	fmt.Fprintf(cmd.OutOrStdout(), "listening on %s pid %d\n", listener.Addr(), os.Getpid())
	select {
	case err := <-served:
		return fmt.Errorf("the server stopped: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := app.Shutdown(grace); err != nil {
		return err
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
