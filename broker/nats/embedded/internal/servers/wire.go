package servers

import (
	"errors"
	"net"
	"sync"

	"github.com/finch-go/finch/broker/nats"
	natsgo "github.com/nats-io/nats.go"
)

// A Wire is a node's way to the server, which can be cut.
type Wire struct {
	to natsgo.InProcessConnProvider

	mu    sync.Mutex
	cut   bool
	conns []net.Conn
}

// InProcessConn is called by nats.go.
func (w *Wire) InProcessConn() (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut {
		return nil, errors.New("the wire is cut")
	}
	c, err := w.to.InProcessConn()
	if err == nil {
		w.conns = append(w.conns, c)
	}
	return c, err
}

// Cut ends the connections, and there is no other until Mend.
func (w *Wire) Cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = true
	for _, c := range w.conns {
		c.Close()
	}
	w.conns = nil
}

// Mend lets connections be made again.
func (w *Wire) Mend() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = false
}

// Wired makes a node on a wire of its own.
func Wired(s natsgo.InProcessConnProvider, o nats.Options) (*nats.Broker, *Wire) {
	w := &Wire{to: s}
	o.Logger = Quiet
	if o.Partitions == 0 {
		o.Partitions = 2
	}
	o.Connect = []natsgo.Option{natsgo.InProcessServer(w)}
	return nats.New(o), w
}
