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
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/cmd/finch/internal/holder"
)

const (
	// demoAddr is on the loopback: in the demo everybody may say who they
	// are, so facing the world has to be somebody's decision.
	demoAddr = "localhost:3000"
	// demoGrace is how long the sockets get to say goodbye.
	demoGrace = 10 * time.Second
)

func newDemo() *cobra.Command {
	addr := demoAddr
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Serve a page that shows chat, recovery, notifications and more, live",
		Long: `Serve one page, in English and Persian, that shows what Finch does: the guide's
echo, a chat with history and presence, what becomes of messages when a network
is cut or a client reads too slowly, live notifications, live counts, thousands
of idle sockets and what they weigh, and a console with every frame. Behind each
panel is the Go file that runs it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			context.AfterFunc(ctx, stop) // a second Ctrl-C does not wait
			return serveDemo(ctx, addr, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&addr, "addr", addr, "`host:port` to listen on; port 0 picks a free one")
	return cmd
}

// serveDemo serves the demo until ctx ends, and says on out where it is.
func serveDemo(ctx context.Context, addr string, out io.Writer) error {
	listener, err := listenDemo(addr)
	if err != nil {
		return err
	}
	// Where it listens is told below, in words.
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	app := demo.New(&demo.Options{Logger: logger, Holder: holder.New(ctx, listener.Addr())})
	served := make(chan error, 1)
	go func() { served <- app.Serve(listener) }()

	fmt.Fprintf(out, "Finch demo: %s\n", demoURL(listener.Addr(), addr))
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
