package conn_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/finch-go/finch/internal/conn"
)

func init() {
	setups = append(setups,
		setup{name: "epoll over TCP", engine: conn.Auto, pair: tcpPair},
		setup{name: "epoll over TLS", engine: conn.Auto, pair: listenerPair(tls.VersionTLS13)},
		setup{name: "epoll over 1.2 TLS", engine: conn.Auto, pair: listenerPair(tls.VersionTLS12)},
		setup{name: "portable over our TLS", engine: conn.Portable, pair: listenerPair(tls.VersionTLS13)},
	)
}

// listenerPair is TLS accepted by a Listener.
func listenerPair(version uint16) func(*testing.T) (server, client net.Conn) {
	return func(t *testing.T) (server, client net.Conn) {
		l, raw := tlsListener(t, version)
		c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true})
		shaken := make(chan error, 1)
		go func() { shaken <- c.Handshake() }()
		s := acceptTLS(t, l)
		if err := <-shaken; err != nil {
			t.Fatal(err)
		}
		return s, c
	}
}
