package conn

import "net"

// source is where a reader gets its bytes: wait blocks until some have come
// and lends a buffer that must be given back with done, even if it is nil.
type source interface {
	wait() (buf []byte, n int, err error)
	done(buf []byte)
}

// newSource picks how to wait for what comes to p.
func newSource(p *portable) source {
	if s := newRawSource(p); s != nil {
		return s
	}
	return &plainSource{nc: p.nc}
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
