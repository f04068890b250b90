package servers

import (
	"errors"
	"net"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
)

// A Box is a server that listens nowhere, so that it can be in a bubble of
// testing/synctest. It can be stopped under its nodes and started again.
type Box struct {
	Dir     string
	running atomic.Pointer[server.Server]
}

// NewBox starts a server that is stopped with the test.
func NewBox(t testing.TB) *Box {
	t.Helper()
	b := &Box{Dir: t.TempDir()}
	b.Start(t)
	t.Cleanup(b.Stop)
	return b
}

// Start starts the server on what is in its directory.
func (b *Box) Start(t testing.TB) {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		ServerName: "box", DontListen: true, NoSigs: true, NoLog: true, JetStream: true, StoreDir: b.Dir,
		MaxPayload: 1<<20 + 4<<10,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	b.running.Store(s)
}

// Stop ends the server, if it runs.
func (b *Box) Stop() {
	if s := b.running.Swap(nil); s != nil {
		s.Shutdown()
		s.WaitForShutdown()
	}
}

// InProcessConn is called by nats.go.
func (b *Box) InProcessConn() (net.Conn, error) {
	if s := b.running.Load(); s != nil {
		return s.InProcessConn()
	}
	return nil, errStopped
}

var errStopped = errors.New("the server does not run")
