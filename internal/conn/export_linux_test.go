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

// AnswerOfTLS is what a tls.Conn does when it reads something that it must
// answer by itself; false if c has no TLS on epoll.
func AnswerOfTLS(c *Conn, b []byte) (bool, error) {
	s, ok := c.tr.(*socket)
	if !ok || s.secure == nil {
		return false, nil
	}
	_, err := s.secure.append(b)
	return true, err
}
