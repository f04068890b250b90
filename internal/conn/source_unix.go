//go:build unix

package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
)

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// rawSource waits without a buffer and borrows one only while bytes are
// there.
type rawSource struct {
	rc  syscall.RawConn
	try func(fd uintptr) bool // s.read, bound once
	buf *[readSize]byte
	n   int
	err error
}

// newRawSource answers nil if p can only be read in the ordinary way.
func newRawSource(p *portable) source {
	switch nc := p.nc.(type) {
	case *net.TCPConn:
		if rc, err := nc.SyscallConn(); err == nil {
			s := &rawSource{rc: rc}
			s.try = s.read
			return s
		}
	case *tls.Conn:
		below, ok := nc.NetConn().(syscall.Conn)
		if !ok || !nc.ConnectionState().HandshakeComplete {
			break
		}
		if rc, err := below.SyscallConn(); err == nil {
			return &tlsSource{p: p, rc: rc}
		}
	}
	return nil
}

func (s *rawSource) wait() ([]byte, int, error) {
	s.n, s.err = 0, nil
	err := s.rc.Read(s.try)
	if err == nil {
		err = s.err
	}
	if s.buf == nil {
		return nil, 0, err
	}
	return s.buf[:], s.n, err
}

func (s *rawSource) done([]byte) {
	if s.buf != nil {
		readBuffers.Put(s.buf)
		s.buf = nil
	}
}

// read answers false to wait for the next edge: the runtime's poller reports
// changes, so reading must be tried before each wait.
func (s *rawSource) read(fd uintptr) bool {
	if s.buf == nil {
		s.buf = readBuffers.Get().(*[readSize]byte)
	}
	for {
		n, err := syscall.Read(int(fd), s.buf[:])
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN:
			s.done(nil) // wait without it
			return false
		case err != nil:
			s.err = err
		case n == 0:
			s.err = io.EOF
		default:
			s.n = n
		}
		return true
	}
}

// tlsSource waits below TLS without a buffer, and borrows one to read through
// it. One read of the network may bring several records, so it does not wait
// again before TLS has nothing left.
type tlsSource struct {
	p   *portable
	rc  syscall.RawConn
	dry bool // TLS has nothing left, as far as we know
	buf *[readSize]byte
}

func (s *tlsSource) wait() ([]byte, int, error) {
	for {
		if s.dry {
			if err := s.rc.Read(hasInput); err != nil {
				return nil, 0, err
			}
		}
		if s.buf == nil {
			s.buf = readBuffers.Get().(*[readSize]byte)
		}
		if s.dry {
			n, err := s.p.nc.Read(s.buf[:])
			s.dry = false
			return s.buf[:], n, err
		}
		n, err := s.p.drain(s.buf[:])
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return s.buf[:], n, err
		}
		s.dry = true
		s.done(nil) // wait without it
	}
}

func (s *tlsSource) done([]byte) {
	if s.buf != nil {
		readBuffers.Put(s.buf)
		s.buf = nil
	}
}

// hasInput answers whether reading would not block, without reading.
func hasInput(fd uintptr) bool {
	var one [1]byte
	for {
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		if err == syscall.EINTR {
			continue
		}
		return err != syscall.EAGAIN
	}
}
