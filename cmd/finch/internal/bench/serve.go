package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"runtime/debug"
	"time"

	"github.com/finch-go/finch"
)

// maxMessage is the largest message that the server takes: a payload and room
// for an envelope.
const maxMessage = maxPayload + 64<<10

// ServerOptions configure NewServer.
type ServerOptions struct {
	// Engine is what holds the connections: "portable". Empty: the best there is.
	Engine string
	// TLS makes the server speak https with a certificate of its own making.
	TLS bool
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
}

// NewServer returns the server that loads are tried on:
//
//	/echo    raw: sends back what it gets, text and binary, up to 16 MiB
//	/ws      a SocketManager: path echo answers the sender on path echo, path all
//	         sends its data to everyone on path all
//	/settle  gives memory back to the system, then answers
//
// Nothing slows a client down that floods. Who offers compression gets it.
func NewServer(o ServerOptions) (*finch.App, error) {
	switch o.Engine {
	case "", "portable":
	case "epoll":
		return nil, fmt.Errorf("--engine epoll: this build of Finch holds connections with the portable engine only")
	default:
		return nil, fmt.Errorf("--engine %s: it is epoll or portable", o.Engine)
	}
	var secure *tls.Config
	if o.TLS {
		cert, err := selfSigned()
		if err != nil {
			return nil, fmt.Errorf("no certificate: %w", err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{cert}}
	}
	limits := finch.Limits{
		MessageBytes:  maxMessage,
		QueueBytes:    4 * maxMessage,
		InboxBytes:    4 * maxMessage,
		InboxMessages: 64 << 10,
	}
	compression := new(finch.Compression)
	app := finch.NewApp(&finch.AppOptions{
		TLS: secure, Logger: o.Logger, Limits: limits, AllowedOrigins: []string{"*"}, ShutdownWait: 5 * time.Second,
		Compression: compression,
	})
	manager := finch.NewSocketManager(&finch.SocketManagerOptions{
		Limits: limits, Logger: o.Logger, AllowedOrigins: []string{"*"}, App: app,
		Compression: compression,
		Routes: map[string]finch.SocketEvent{
			"echo": {OnMessage: func(_ context.Context, s *finch.Socket, m *finch.Message) error {
				return s.Send("echo", payloadOf(m))
			}},
			"all": {OnMessage: func(_ context.Context, s *finch.Socket, m *finch.Message) error {
				return s.Manager().SendToAll("all", payloadOf(m))
			}},
		},
	})
	app.AddRoute(
		finch.Route{Path: "/echo", WS: func(ws *finch.RawSocket) {
			// A socket that cannot take its answer is closed for being slow.
			ws.OnMessage(func(text string) { _ = ws.Send(text) })
			ws.OnBinary(func(b []byte) { _ = ws.SendBinary(b) })
		}},
		finch.Route{Path: "/ws", Handler: manager},
		finch.Route{Path: "/settle", Index: func(rq *finch.Request) error {
			debug.FreeOSMemory()
			return rq.RenderString("settled\n")
		}},
	)
	return app, nil
}

// payloadOf is what a message carried, to be sent on as it is.
func payloadOf(m *finch.Message) any {
	if m.Binary != nil {
		return m.Binary
	}
	return m.Data
}

// selfSigned makes a certificate for this machine that lasts a day.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "finch bench"},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
