package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/cmd/finch/internal/holder"
	"github.com/finch-go/finch/cmd/finch/internal/store"
)

const (
	// demoAddr is on the loopback: in the demo everybody may say who they
	// are, so facing the world has to be somebody's decision.
	demoAddr = "localhost:3000"
	// demoGrace is how long the sockets get to say goodbye.
	demoGrace = 10 * time.Second
)

func newDemo() *cobra.Command {
	o := demoOptions{addr: demoAddr}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve a page that shows chat, recovery, notifications and more, live",
		Long: `Serve one page, in English and Persian, that shows what Finch does: the guide's
echo, a chat with history and presence, what becomes of messages when a network
is cut or a client reads too slowly, live notifications, live counts, thousands
of idle sockets and what they weigh, and a console with every frame. Behind each
panel is the Go file that runs it.

Alone it keeps what is said in memory. With --data it keeps it in a directory,
beyond its own end. With --nats or --redis it is one node of several: start it
again on another port, and who is on one talks to who is on the other. The nodes
agree on the secret that seals the tickets of sessions, which the store keeps;
set FINCH_SECRET to choose it yourself.`,
		Example: `  finch demo
  finch demo --data demo-data
  finch demo --redis redis://localhost:6379
  finch demo --redis redis://localhost:6379 --addr localhost:3001`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
			return serveDemo(ctx, o, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&o.addr, "addr", o.addr, "`host:port` to listen on; port 0 picks a free one")
	cmd.Flags().StringVar(&o.nats, "nats", "", "be one of several nodes, joined by the NATS server at this `address`, which needs JetStream")
	cmd.Flags().StringVar(&o.redis, "redis", "", "be one of several nodes, joined by the Redis or Valkey server at this `address`")
	cmd.Flags().StringVar(&o.data, "data", "", "keep what is said in this `directory`, beyond the end of the demo")
	return cmd
}

// demoOptions are what the command line says.
type demoOptions struct {
	addr              string
	nats, redis, data string // at most one
	patience          time.Duration
}

// openStore opens what the command line names; nil if it names nothing.
func (o demoOptions) openStore(ctx context.Context, out io.Writer, logger *slog.Logger) (*store.Store, error) {
	var named []string
	for _, f := range [][2]string{{"--nats", o.nats}, {"--redis", o.redis}, {"--data", o.data}} {
		if f[1] != "" {
			named = append(named, f[0])
		}
	}
	switch len(named) {
	case 0:
		return nil, nil
	case 1:
		return store.Open(ctx, store.Options{
			NATS: o.nats, Redis: o.redis, Dir: o.data, Secret: os.Getenv("FINCH_SECRET"), Patience: o.patience,
			Say: func(sentence string) { fmt.Fprintln(out, sentence) }, Logger: logger,
		})
	}
	return nil, fmt.Errorf("%s exclude each other: take one of them", strings.Join(named, " and "))
}

// nodesOf is what the demo is told of its store. On the page a node is called by
// its address.
func nodesOf(s *store.Store, at net.Addr, out io.Writer) *demo.Nodes {
	n := &demo.Nodes{Broker: s.Broker, Secret: s.Secret}
	if s.Name != "" {
		n.Name, n.Store = at.String(), s.Name
		n.Reached = func(yes bool) {
			if yes {
				fmt.Fprintf(out, "%s is back.\n", s.Name)
			} else {
				fmt.Fprintf(out, "%s does not answer; trying on. Whoever is connected stays, and nothing is recorded until it is back.\n", s.Name)
			}
		}
	}
	return n
}

// serveDemo serves the demo until ctx ends, and says on out where it is.
func serveDemo(ctx context.Context, o demoOptions, out io.Writer) error {
	listener, err := listenDemo(o.addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	// Where it listens is told below, in words, and so is why it does not start.
	level := new(slog.LevelVar)
	level.Set(slog.LevelError + 1)
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	joined, err := o.openStore(ctx, out, logger)
	if err != nil {
		return err
	}
	options := &demo.Options{Logger: logger, Holder: holder.New(ctx, listener.Addr())}
	if joined != nil {
		options.Nodes = nodesOf(joined, listener.Addr(), out)
	}
	app := demo.New(options)
	if err := app.Begin(ctx); err != nil {
		app.Shutdown(ctx)
		return joined.Explain(err)
	}
	level.Set(slog.LevelWarn)
	if joined != nil {
		level.Set(slog.LevelError) // that the broker is away is said once, in words, and not by each manager
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(listener) }()

	fmt.Fprintf(out, "Finch demo: %s\n", demoURL(listener.Addr(), o.addr))
	switch {
	case joined == nil:
	case joined.Name == "":
		fmt.Fprintf(out, "What is said is kept in %s.\n", joined.Where)
	default:
		fmt.Fprintf(out, "One of the nodes that %s at %s joins; start another with --addr %s.\n", joined.Name, joined.Where, nextAddr(listener.Addr()))
	}
	if !isLoopback(listener.Addr()) {
		fmt.Fprintln(out, "Anyone who reaches this address can say who they are: it is a demo, do not leave it open to the world.")
	}
	fmt.Fprintln(out, "Press Ctrl-C to stop.")

	select {
	case err := <-served:
		return fmt.Errorf("the demo stopped: %w", err)
	case <-ctx.Done():
	}
	fmt.Fprintln(out, "Stopping.")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), demoGrace)
	defer cancel()
	if err := app.Shutdown(grace); err != nil {
		return fmt.Errorf("not everything ended in %v: %w", demoGrace, err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// listenDemo listens on addr. An error is one sentence with what helps.
func listenDemo(addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--addr %s is not HOST:PORT, for example --addr %s", addr, demoAddr)
	}
	listener, err := net.Listen("tcp", addr)
	switch {
	case err == nil:
		return listener, nil
	case isBusy(err):
		return nil, fmt.Errorf("port %s of %s is in use by another program; choose another: go run ./cmd/finch demo --addr %s", port, hostOr(host, "this machine"), net.JoinHostPort(hostOr(host, "localhost"), nextPort(port)))
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("port %s needs privileges that this program does not have; choose one above 1023: go run ./cmd/finch demo --addr %s", port, demoAddr)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
}

// isBusy tells whether the address is taken. Windows has a number of its own
// for that (WSAEADDRINUSE).
func isBusy(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.Errno(10048))
}

// nextAddr is where another node could listen.
func nextAddr(at net.Addr) string {
	_, port, _ := net.SplitHostPort(at.String())
	return net.JoinHostPort("localhost", nextPort(port))
}

func nextPort(port string) string {
	n, err := strconv.Atoi(port)
	if err != nil || n >= 65535 {
		return "3001"
	}
	return strconv.Itoa(n + 1)
}

// demoURL is what a person types into the browser.
func demoURL(at net.Addr, asked string) string {
	host, _, _ := net.SplitHostPort(asked)
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(at.String())
	return "http://" + net.JoinHostPort(host, port)
}

func isLoopback(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func hostOr(host, other string) string {
	if host == "" {
		return other
	}
	return host
}
