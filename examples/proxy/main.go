// Command proxy is a server that stands behind a reverse proxy: it believes
// what its own proxy says of clients, and nobody else. The configurations of
// nginx, Caddy and HAProxy beside it lead to it.
package main

import (
	"context"
	"log"
	"net/netip"
	"time"

	"github.com/finch-go/finch"
)

// proxies are the networks of the proxies in front.
var proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}

func newApp(trusted []netip.Prefix) *finch.App {
	// region options
	app := finch.NewApp(&finch.AppOptions{Addr: "127.0.0.1:3000", ShutdownWait: 30 * time.Second})
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		App:            app,
		TrustedProxies: trusted,
		AllowedOrigins: []string{"https://app.example.com", "*.preview.example.com"},
		KeepHeaders:    []string{"User-Agent"},
		Limits: finch.Limits{
			MessageBytes:      32 << 10,
			MessagesPerSecond: 50,
			SocketsPerAddress: 100,
		},
	})
	// endregion
	finch.OnRequest(sockets, "address", func(ctx context.Context, s *finch.Socket, _ struct{}) (string, error) {
		return s.Request().RemoteAddr().String(), nil
	})
	app.AddRoute(finch.Route{Path: "/ws", Handler: sockets})
	return app
}

func main() {
	if err := newApp(proxies).Start(context.Background()); err != nil {
		log.Fatal(err)
	}
}
