// Command shutdown stops without losing what was said: handlers finish, what
// they sent leaves, and clients are sent to the other servers, each at a time of
// its own.
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"github.com/finch-go/finch"
)

func newSockets() *finch.SocketManager {
	// region drain
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{DrainWindow: 10 * time.Second})
	// endregion
	finch.OnRequest(sockets, "report", func(ctx context.Context, s *finch.Socket, name string) (string, error) {
		time.Sleep(3 * time.Second) // stands for work that takes a while
		return name + " is ready", nil
	})
	return sockets
}

// region serve

// serve serves on l until ctx ends, and then takes up to 20 seconds to stop.
func serve(ctx context.Context, l net.Listener, sockets *finch.SocketManager) error {
	mux := http.NewServeMux()
	mux.Handle("/ws", sockets)
	mux.HandleFunc("/readyz", sockets.Readyz)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}

	grace, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	// The sockets first: http.Server does not see the connections that they
	// have taken over, and while they close, /readyz already answers 503.
	return errors.Join(sockets.Shutdown(grace), srv.Shutdown(grace))
}

// endregion

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	l, err := net.Listen("tcp", "localhost:3000")
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(ctx, l, newSockets()); err != nil {
		log.Fatal(err)
	}
}
