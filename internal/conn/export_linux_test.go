package conn

import "unsafe"

// SocketSize is what the epoll engine keeps for a connection at rest, besides
// its place in a table.
const SocketSize = unsafe.Sizeof(socket{})

// Turns answers how often the poller of an epoll connection has woken up, and
// false if c is served by another engine.
func Turns(c *Conn) (int64, bool) {
	s, ok := c.tr.(*socket)
	if !ok {
		return 0, false
	}
	return s.p.turns.Load(), true
}
