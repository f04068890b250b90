package embedded

import (
	"context"
	"net"
)

// InProcessConn makes b a way for tests to reach its server.
func (b *Broker) InProcessConn() (net.Conn, error) { return provider{b}.InProcessConn() }

// StopServer ends the server under its nodes.
func (b *Broker) StopServer() { b.running.Swap(nil).stop() }

// StartServer starts it again, on the same directory.
func (b *Broker) StartServer() error {
	p, err := startProcess(context.Background(), b.options)
	if err == nil {
		b.running.Store(p)
	}
	return err
}
