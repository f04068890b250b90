package finch_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

// TestIdleSocketsUnderTLSHaveNoGoroutine holds what the docs of Listener say.
func TestIdleSocketsUnderTLSHaveNoGoroutine(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the epoll engine needs Linux")
	}
	const sockets = 50
	app := finch.NewApp(&finch.AppOptions{TLS: &tls.Config{Certificates: httptestCertificate(t)}})
	connected := make(chan bool, sockets)
	app.AddRoute(finch.Route{Path: "/raw", WS: func(ws *finch.RawSocket) { connected <- true }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go app.Serve(l)
	defer app.Shutdown(t.Context())
	before := runtime.NumGoroutine()
	for range sockets {
		nc, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		io.WriteString(nc, "GET /raw HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		answer := make([]byte, 12)
		if _, err := io.ReadFull(nc, answer); err != nil || !strings.HasSuffix(string(answer), "101") {
			t.Fatalf("answered %q, %v", answer, err)
		}
		<-connected
	}
	if n := runtime.NumGoroutine() - before; n > sockets/2 {
		t.Errorf("%d sockets have %d goroutines", sockets, n)
	}
}

func httptestCertificate(t *testing.T) []tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.TLS.Certificates
}
