//go:build unix

package conn

import (
	"io"
	"net"
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

// newRawSource answers nil if nc can only be read in the ordinary way.
func newRawSource(nc net.Conn) source {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	rc, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	s := &rawSource{rc: rc}
	s.try = s.read
	return s
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
