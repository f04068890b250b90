package conn

import (
	"crypto/tls"
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// secure is TLS on a socket: a stock tls.Conn over a wire that never blocks.
type secure struct {
	s    *socket
	conn *tls.Conn

	budget int // of the reader: what it may still read from the network in this turn

	mu       sync.Mutex // may be taken with Conn.mu held, and while conn is in a call
	pending  *[]byte    // records that the kernel has not taken; nil at rest
	sent     int        // bytes of pending that it has
	overflow bool       // the peer makes us write and does not read
}

const (
	// plainSize is how much is encrypted at once, when nothing is pending, so
	// that what waits stays in the queue, where it is bounded and shared.
	plainSize = 64 << 10

	// pendingMax bounds pending: what plainSize becomes, and the answers that
	// a peer makes TLS itself write, such as those to a KeyUpdate (RFC 8446
	// section 4.6.3).
	pendingMax = 128 << 10
)

var (
	pendings = sync.Pool{New: func() any { return new([]byte) }}
	joins    = sync.Pool{New: func() any { return new([plainSize]byte) }}
)

// read is the wire's, called by conn.Read alone, so by whoever has set
// socket.reading.
func (x *secure) read(b []byte) (int, error) {
	if x.budget <= 0 {
		return 0, errAgain{} // a flood; epoll comes back after the neighbours
	}
	n, errno := sysRead(int(x.s.fd), b)
	switch {
	case errno == syscall.EAGAIN:
		return 0, errAgain{}
	case errno != 0:
		return 0, os.NewSyscallError("read", errno)
	case n == 0:
		return 0, io.EOF
	}
	x.budget -= n
	return n, nil
}

// append is the wire's Write, called by whoever writes and by the reader too,
// when what it read wants an answer of TLS itself.
func (x *secure) append(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pending == nil {
		x.pending = pendings.Get().(*[]byte)
	}
	if len(*x.pending)+len(b) > pendingMax {
		x.overflow = true
		return 0, errOverflow
	}
	*x.pending = append(*x.pending, b...)
	return len(b), nil
}

var errOverflow = errors.New("the peer reads too slowly for what it makes TLS write")

// turn reads what there is, up to a turn's share. It goes on until conn would
// have to wait: it may hold several records more than it returned.
func (x *secure) turn(buf []byte) (eof bool, err error) {
	x.budget = turnSize
	for {
		n, err := x.conn.Read(buf)
		x.s.feed(buf[:n])
		if n > 0 {
			x.s.mu.Lock()
			x.s.hear(x.s.p.clock())
			x.s.mu.Unlock()
		}
		switch {
		case err == nil:
		case errors.Is(err, errAgain{}):
			return false, nil
		case err == io.EOF:
			return true, nil
		default:
			return false, err
		}
	}
}

// empty answers whether the kernel has taken every record.
func (x *secure) empty() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.pending == nil
}

// overflowed answers whether the peer has made TLS write more than it reads.
func (x *secure) overflowed() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.overflow
}

// write gives the kernel what is pending; more says that it did not take all.
// Whoever calls it has set socket.writing.
func (x *secure) write() (more bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pending == nil {
		return false, nil
	}
	n, errno := sysWrite(int(x.s.fd), (*x.pending)[x.sent:])
	x.sent += n
	switch {
	case x.sent == len(*x.pending):
		if cap(*x.pending) <= pendingMax {
			*x.pending = (*x.pending)[:0]
			pendings.Put(x.pending)
		}
		x.pending, x.sent = nil, 0
		return false, nil
	case errno != 0 && errno != syscall.EAGAIN:
		return true, errno
	}
	return true, nil
}

// encrypt makes records of frames, which are plainSize together at most or one
// alone, and answers how much of them that was. Whoever calls it has set
// socket.writing.
func (x *secure) encrypt(frames [][]byte) (int, error) {
	if len(frames) == 1 {
		return x.conn.Write(frames[0][:min(len(frames[0]), plainSize)])
	}
	join := joins.Get().(*[plainSize]byte)
	defer joins.Put(join)
	n := 0
	for _, f := range frames {
		n += copy(join[n:], f)
	}
	return x.conn.Write(join[:n])
}
