package finch_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch"
)

// The suite asks a whole server, over real connections, to keep each MUST and
// MUST NOT of RFC 6455 that a connection can show. What a parser alone can show
// is asked of package internal/frame. It is in four parts: the opening handshake
// (section 4), frames and messages (5, 6, 8, 10.4), closing (7), and clients
// that leave in the middle.

// engines are the ways to hold a connection; every test of the suite runs over
// each.
var engines = []struct {
	name string
	set  func(*finch.AppOptions, *finch.SocketManagerOptions)
}{
	{"portable", func(a *finch.AppOptions, m *finch.SocketManagerOptions) {
		a.Engine, m.Engine = finch.EnginePortable, finch.EnginePortable
	}},
	{"auto", func(*finch.AppOptions, *finch.SocketManagerOptions) {}}, // on Linux: epoll
}

// wires are the ways to reach a server. A pipe hands over each piece that is
// written before the next one is: what the server reads is cut exactly where the
// client cut it.
var wires = []string{"tcp", "tls", "pipe"}

// wholeServer is an App with a manager at /ws, whose texts come back, and raw
// routes: /raw sends everything back, /late does so when release is closed.
type wholeServer struct {
	t       testing.TB
	wire    string
	listen  net.Listener
	app     *finch.App
	manager *finch.SocketManager
	release chan struct{}
	ends    chan finch.CloseReason // of every socket
}

// eachServer runs a test over all engines and wires.
func eachServer(t *testing.T, wires []string, test func(t *testing.T, s *wholeServer)) {
	for _, engine := range engines {
		for _, wire := range wires {
			t.Run(engine.name+" "+wire, func(t *testing.T) {
				t.Parallel() // most of the time is spent waiting
				s := newWholeServer(t, wire, engine.set)
				test(t, s)
				s.stop()
			})
		}
	}
}

func newWholeServer(t testing.TB, wire string, set func(*finch.AppOptions, *finch.SocketManagerOptions)) *wholeServer {
	s := &wholeServer{t: t, wire: wire, release: make(chan struct{}), ends: make(chan finch.CloseReason, 1<<16)}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil)) // the clients here do wrong on purpose
	appOptions := finch.AppOptions{Logger: quiet}
	if wire == "tls" {
		appOptions.TLS = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	}
	options := finch.SocketManagerOptions{
		Limits: finch.Limits{MessagesPerSecond: -1, BytesPerSecond: -1},
		Event: finch.SocketEvent{
			OnText: func(ctx context.Context, k *finch.Socket, text string) error {
				switch text {
				case "close me":
					return k.Close(4001, "as you asked")
				case "close me with nothing":
					return k.Close(0, "")
				}
				return k.SendText(text)
			},
			OnDisconnect: func(ctx context.Context, k *finch.Socket, why finch.CloseReason) { s.ends <- why },
		},
	}
	set(&appOptions, &options)
	s.app = finch.NewApp(&appOptions)
	options.App = s.app
	s.manager = finch.NewSocketManager(&options)
	s.app.AddRoute(
		finch.Route{Path: "/ws", Methods: finch.MethodsAll, Handler: s.manager},
		finch.Route{Path: "/raw", Methods: finch.MethodsAll, WS: s.echo(nil)},
		finch.Route{Path: "/late", WS: s.echo(s.release)},
	)
	var err error
	if wire == "pipe" {
		s.listen = newPipeListener()
	} else if s.listen, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	go s.app.Serve(s.listen)
	return s
}

// echo is a raw route that sends back what it gets, once wait is closed.
func (s *wholeServer) echo(wait <-chan struct{}) func(*finch.RawSocket) {
	return func(ws *finch.RawSocket) {
		ws.OnMessage(func(text string) {
			if wait != nil {
				select {
				case <-wait:
				case <-ws.Context().Done():
				}
			}
			switch text {
			case "close me":
				ws.Close(4001, "as you asked")
			case "close me with nothing":
				ws.Close(0, "")
			default:
				ws.Send(text)
			}
		})
		ws.OnBinary(func(b []byte) { ws.SendBinary(b) })
		ws.OnClose(func(why finch.CloseReason) { s.ends <- why })
	}
}

// stop ends the server, which must not find anybody who will not go.
func (s *wholeServer) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), hostileWait)
	defer cancel()
	if err := s.app.Shutdown(ctx); err != nil {
		s.t.Errorf("at the end: %v", err)
	}
	if n, raw := s.manager.CountClients(), s.app.Stats().RawSockets; n != 0 || raw != 0 {
		s.t.Errorf("at the end %d clients and %d raw sockets are left", n, raw)
	}
	if n := s.manager.Stats().Panics + s.app.Stats().Panics; n != 0 {
		s.t.Errorf("%d callbacks panicked", n)
	}
	// A write that the end has cut off counts until it has returned.
	queued := func() int64 { return s.manager.Stats().QueuedBytes + s.app.Stats().QueuedBytes }
	for end := time.Now().Add(hostileWait); queued() != 0; runtime.Gosched() {
		if time.Now().After(end) {
			s.t.Fatalf("at the end %d bytes are queued", queued())
		}
	}
}

// dial connects and says nothing.
func (s *wholeServer) dial() *hostile {
	s.t.Helper()
	if pipes, ok := s.listen.(*pipeListener); ok {
		return newHostile(s.t, pipes.dial())
	}
	nc, err := net.Dial("tcp", s.listen.Addr().String())
	if err != nil {
		s.t.Fatal(err)
	}
	if s.wire == "tls" {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}}) // it is certificate, and nobody else can hear
	}
	return newHostile(s.t, nc)
}

// open connects and shakes hands.
func (s *wholeServer) open(path string) *hostile {
	s.t.Helper()
	h := s.dial()
	go h.send(requestOf(path))
	if a := h.answer(); a.status != http.StatusSwitchingProtocols {
		s.t.Fatalf("%s was answered %s", path, a.line)
	}
	return h
}

// ended waits for the next socket to end and answers how it did.
func (s *wholeServer) ended() finch.CloseReason {
	s.t.Helper()
	select {
	case why := <-s.ends:
		return why
	case <-time.After(hostileWait):
		s.t.Fatal("no socket ended")
		panic("unreachable")
	}
}

// pipeListener accepts connections within the process.
type pipeListener struct {
	accept chan net.Conn
	done   chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{accept: make(chan net.Conn), done: make(chan struct{})}
}

func (l *pipeListener) dial() net.Conn {
	ours, theirs := net.Pipe()
	l.accept <- theirs
	return ours
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.accept:
		return nc, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// certificate is made once, for nobody to trust.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{"app.test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
	}
	der, err2 := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// kindOf tells messages from control frames, whose orders are two: a pong
// overtakes messages that wait for their handler (section 5.5.3).
func kindOf(said string) string {
	if strings.HasPrefix(said, "text") || strings.HasPrefix(said, "binary") {
		return "message"
	}
	return "control"
}
