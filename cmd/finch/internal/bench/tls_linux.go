package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"syscall"
	"time"
)

// A tlsDialer opens sockets under TLS. crypto/tls cannot leave off in the middle
// of a handshake, so each has a goroutine until it is over; the socket then goes
// to the loop, and the goroutine ends.
type tlsDialer struct {
	ctx     context.Context
	cancel  context.CancelFunc
	config  *tls.Config
	timeout time.Duration
	wake    int // an eventfd on which the loop waits

	mu   sync.Mutex // guards what follows
	done []tlsDialed
	shut bool // nobody takes any more
}

// A tlsDialed is a connection whose handshake is over, or failed.
type tlsDialed struct {
	s    *socket
	fd   int
	conn *tls.Conn
	pipe *tlsPipe
	err  error
}

func newTLSDialer(ctx context.Context, u *url.URL, p *Plan) (*tlsDialer, error) {
	wake, _, errno := syscall.Syscall(syscall.SYS_EVENTFD2, 0, syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errno != 0 {
		return nil, fmt.Errorf("no eventfd: %w", errno)
	}
	d := &tlsDialer{
		config:  &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: p.InsecureSkipVerify},
		timeout: p.Timeout, wake: int(wake),
	}
	d.ctx, d.cancel = context.WithCancel(ctx)
	return d, nil
}

// dial begins to open a socket; the loop is woken when that is over.
func (d *tlsDialer) dial(s *socket, t *target) {
	ctx, cancel := context.WithTimeout(d.ctx, d.timeout)
	go func() {
		defer cancel()
		r := tlsDialed{s: s, fd: -1}
		r.err = d.shake(ctx, &r, t)
		d.mu.Lock()
		defer d.mu.Unlock()
		if d.shut {
			if r.fd >= 0 {
				syscall.Close(r.fd)
			}
			return
		}
		d.done = append(d.done, r)
		one := [8]byte{1}
		rawWrite(d.wake, one[:])
	}()
}

// shake connects, shakes hands, and takes the descriptor away from Go's poller.
func (d *tlsDialer) shake(ctx context.Context, r *tlsDialed, t *target) error {
	dialer := net.Dialer{Control: func(_, _ string, raw syscall.RawConn) error {
		var bad error
		err := raw.Control(func(fd uintptr) {
			bad = t.bind(int(fd), r.s.index)
			if r.s.slow {
				_ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallBuffer)
			}
		})
		return errors.Join(err, bad)
	}}
	nc, err := dialer.DialContext(ctx, "tcp", t.at.String())
	if err != nil {
		return err
	}
	defer nc.Close()
	r.pipe = &tlsPipe{Conn: nc}
	r.conn = tls.Client(r.pipe, d.config)
	if err := r.conn.HandshakeContext(ctx); err != nil {
		return err
	}
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var dup syscall.Errno
	err = raw.Control(func(fd uintptr) {
		var n uintptr
		n, _, dup = syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_DUPFD_CLOEXEC, 0)
		r.fd = int(n)
	})
	if dup != 0 {
		r.fd, err = -1, dup
	}
	return err
}

// take returns the connections that are through.
func (d *tlsDialer) take() []tlsDialed {
	var count [8]byte
	rawRead(d.wake, count[:])
	d.mu.Lock()
	defer d.mu.Unlock()
	done := d.done
	d.done = nil
	return done
}

// close lets no more handshake begin or end.
func (d *tlsDialer) close() {
	d.cancel()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = true
	for _, r := range d.done {
		if r.fd >= 0 {
			syscall.Close(r.fd)
		}
	}
	syscall.Close(d.wake)
}

// wakeIndex stands for the eventfd where epoll tells the place of a socket.
const wakeIndex = -1

// dialTLS opens a socket through the dialer.
func (l *loop) dialTLS(s *socket) {
	s.phase = connecting
	l.open++
	l.opening++
	l.tls.dial(s, l.target)
}

// dialed takes over sockets whose TLS handshake is over.
func (l *loop) dialed() {
	for _, r := range l.tls.take() {
		s := r.s
		switch {
		case s.phase == gone: // too late
			if r.fd >= 0 {
				syscall.Close(r.fd)
			}
			continue
		case r.err != nil:
			l.end(s, fmt.Errorf("cannot connect: %w", r.err))
			continue
		}
		s.fd, s.tls = r.fd, r.conn
		r.pipe.Conn, r.pipe.l, r.pipe.s = nil, l, s
		ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(s.index)}
		if err := syscall.EpollCtl(l.epfd, syscall.EPOLL_CTL_ADD, s.fd, &ev); err != nil {
			l.end(s, fmt.Errorf("epoll refuses the socket: %w", err))
			continue
		}
		l.greet(s)
	}
}

// A tlsPipe is what a tls.Conn stands on: during the handshake a connection of
// Go's, afterwards a descriptor of the loop's, whose Read does not wait and whose
// Write keeps what there is no room for.
type tlsPipe struct {
	net.Conn // until the handshake is over; then nil
	l        *loop
	s        *socket
}

func (p *tlsPipe) Read(b []byte) (int, error) {
	if p.Conn != nil {
		return p.Conn.Read(b)
	}
	n, errno := rawRead(p.s.fd, b)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return 0, errWouldBlock
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (p *tlsPipe) Write(b []byte) (int, error) {
	if p.Conn != nil {
		return p.Conn.Write(b)
	}
	if p.s.phase == gone {
		return 0, net.ErrClosed
	}
	p.l.push(p.s, b)
	return len(b), nil
}

// wouldBlock is a temporary error, after which a tls.Conn can be read again.
type wouldBlock struct{}

var errWouldBlock net.Error = wouldBlock{}

func (wouldBlock) Error() string   { return "nothing to read yet" }
func (wouldBlock) Timeout() bool   { return false }
func (wouldBlock) Temporary() bool { return true }

// readTLS takes all that has come: what the tls.Conn has read ahead no poller
// knows of.
func (l *loop) readTLS(s *socket) {
	for s.phase != gone {
		n, err := s.tls.Read(l.buf)
		if n > 0 {
			l.arrived(s, l.buf[:n])
		}
		switch {
		case err == nil:
		case errors.Is(err, errWouldBlock):
			return
		case errors.Is(err, io.EOF):
			l.ended(s)
		default:
			l.end(s, fmt.Errorf("the connection broke: %w", err))
		}
	}
}
