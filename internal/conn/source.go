package conn

import "net"

// source is where a reader gets its bytes: wait blocks until some have come
// and lends a buffer that must be given back with done, even if it is nil.
type source interface {
	wait() (buf []byte, n int, err error)
	done(buf []byte)
}

// newSource picks how to wait for nc.
func newSource(nc net.Conn) source {
	if s := newRawSource(nc); s != nil {
		return s
	}
	return &plainSource{nc: nc}
}

// plainSource reads in the ordinary way, with a small buffer of its own.
type plainSource struct {
	nc  net.Conn
	buf [2 << 10]byte
}

func (s *plainSource) wait() ([]byte, int, error) {
	n, err := s.nc.Read(s.buf[:])
	return s.buf[:], n, err
}

func (s *plainSource) done([]byte) {}
