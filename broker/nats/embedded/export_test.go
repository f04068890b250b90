package embedded

import "net"

// InProcessConn makes b a way for tests to reach its server.
func (b *Broker) InProcessConn() (net.Conn, error) { return provider{b}.InProcessConn() }
