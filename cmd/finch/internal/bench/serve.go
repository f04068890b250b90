package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/finch-go/finch"
)

// maxMessage is the largest message that the server takes: a payload and room
// for an envelope.
const maxMessage = maxPayload + 64<<10

// maxNode is how much may wait for all sockets together: it is the generator
// that finds out what a server can hold.
const maxNode = 8 << 30

// ServerOptions configure NewServer.
type ServerOptions struct {
	// Engine is what holds the connections: "epoll" or "portable". Empty: what
	// costs least.
	Engine string
	// TLS makes the server speak https with a certificate of its own making.
	TLS bool
	// Limits keeps the limits that a program has which sets none.
	Limits bool
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
}

// NewServer returns the server that loads are tried on:
//
//	/echo    raw: sends back what it gets, text and binary, up to 16 MiB
//	/ws      a SocketManager: path echo answers the sender on path echo, path all
//	         sends its data to everyone on path all
//	/room    a SocketManager whose sockets have joined room bench, or the one that
//	         ?room= names (bench:1): path room sends its data there, path publish
//	         records it
//	/tens    a SocketManager whose sockets are in three rooms of ten, with presence
//	/settle  gives memory back to the system, then answers
//	/stats   what the process holds, as JSON: see Held
//
// Nothing slows a client down that floods, unless Limits says so. Who offers
// compression gets it.
func NewServer(o ServerOptions) (*Server, error) {
	engine, err := engineOf(o.Engine)
	if err != nil {
		return nil, err
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
		NodeBytes:     maxNode,
		// As fast as they can, and all at once.
		MessagesPerSecond: -1,
		BytesPerSecond:    -1,
		Handshakes:        maxSenders,
	}
	if o.Limits {
		limits = finch.Limits{}
	}
	compression := new(finch.Compression)
	app := finch.NewApp(&finch.AppOptions{
		TLS: secure, Logger: o.Logger, Limits: limits, Engine: engine,
		AllowedOrigins: []string{"*"}, ShutdownWait: 5 * time.Second,
		Compression: compression,
	})
	manager := finch.NewSocketManager(&finch.SocketManagerOptions{
		Limits: limits, Logger: o.Logger, AllowedOrigins: []string{"*"}, App: app, Engine: engine,
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
	beside := func() *finch.SocketManagerOptions {
		return &finch.SocketManagerOptions{
			Limits: limits, Logger: o.Logger, AllowedOrigins: []string{"*"}, Engine: engine, Compression: compression,
		}
	}
	rooms, tens := newRoomManager(beside()), newTensManager(beside())
	app.AddRoute(
		finch.Route{Path: "/echo", WS: func(ws *finch.RawSocket) {
			// A socket that cannot take its answer is closed for being slow.
			ws.OnMessage(func(text string) { _ = ws.Send(text) })
			ws.OnBinary(func(b []byte) { _ = ws.SendBinary(b) })
		}},
		finch.Route{Path: "/ws", Handler: manager},
		finch.Route{Path: "/room", Handler: rooms},
		finch.Route{Path: "/tens", Handler: tens},
		finch.Route{Path: "/settle", Index: func(rq *finch.Request) error {
			debug.FreeOSMemory()
			return rq.RenderString("settled\n")
		}},
		finch.Route{Path: "/stats", Index: func(rq *finch.Request) error {
			return rq.RenderJSON(heldBy(app, manager, rooms))
		}},
	)
	return &Server{app, []*finch.SocketManager{rooms, tens}}, nil
}

// Server is the app, and what is beside it.
type Server struct {
	*finch.App
	beside []*finch.SocketManager // which the app does not know
}

// Shutdown is documented at finch.App.
func (s *Server) Shutdown(ctx context.Context) error {
	var failed error
	for _, m := range s.beside {
		failed = errors.Join(failed, m.Shutdown(ctx))
	}
	return errors.Join(failed, s.App.Shutdown(ctx))
}

// Held is what a server holds, for whoever looks for leaks.
type Held struct {
	Goroutines int            `json:"goroutines"`
	HeapBytes  uint64         `json:"heap_bytes"` // in use, garbage of the last cycle included
	Manager    finch.Stats    `json:"manager"`
	Rooms      finch.Stats    `json:"rooms"` // of the manager at /room
	App        finch.AppStats `json:"app"`
}

func heldBy(app *finch.App, manager, rooms *finch.SocketManager) Held {
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return Held{
		Goroutines: runtime.NumGoroutine(),
		HeapBytes:  memory.HeapAlloc,
		Manager:    manager.Stats(),
		Rooms:      rooms.Stats(),
		App:        app.Stats(),
	}
}

// engineOf reads the name of an engine; an error if it cannot be had here.
func engineOf(name string) (finch.Engine, error) {
	switch name {
	case "":
		return finch.EngineAuto, nil
	case "portable":
		return finch.EnginePortable, nil
	case "epoll":
		if runtime.GOOS != "linux" {
			return 0, errors.New("--engine epoll: it needs Linux; without the flag the server takes what there is")
		}
		return finch.EngineEpoll, nil
	}
	return 0, fmt.Errorf("--engine %s: it is epoll or portable", name)
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
