package conn

import (
	"fmt"
	"net"
	"runtime"
	"sync"
)

func newAuto() Engine { return &epoll{} }

// NewEpoll makes an engine of its own, with the given number of pollers; zero
// is one for every two processors that Go may use. A plain TCP connection
// costs it no goroutine, buffer, timer or [net.Conn]; whatever is not TCP is
// served by [Portable].
func NewEpoll(pollers int) (Engine, error) {
	if pollers < 0 {
		return nil, fmt.Errorf("%d pollers: there must be one at least", pollers)
	}
	return &epoll{want: pollers}, nil
}

// epoll is the engine for Linux: each of its pollers watches its share of the
// sockets. A poller lives from its first socket to its last.
type epoll struct {
	want int // pollers; 0 decides at the first connection

	mu      sync.Mutex // guards everything below, and poller.sockets
	pollers []*poller  // nil where none is needed yet
	next    int
}

func (e *epoll) New(nc net.Conn, first []byte, cfg *Config, ev Events) *Conn {
	if tcp, ok := nc.(*net.TCPConn); ok {
		if s := e.adopt(tcp, cfg, ev); s != nil {
			s.queue(first)
			return &s.Conn
		}
	}
	return Portable.New(nc, first, cfg, ev)
}

// adopt takes the descriptor out of tcp, which is closed, so that the runtime
// forgets all it kept for it. It answers nil, and leaves tcp as it was, if
// there are no descriptors left to do so.
func (e *epoll) adopt(tcp *net.TCPConn, cfg *Config, ev Events) *socket {
	rc, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	p, err := e.join()
	if err != nil {
		return nil
	}
	fd := -1
	controlErr := rc.Control(func(old uintptr) { fd, err = sysDup(int(old)) })
	if controlErr != nil || err != nil {
		e.leave(p)
		return nil
	}
	tcp.Close()
	s := &socket{Conn: Conn{cfg: cfg, ev: ev, inline: isInline(ev)}, p: p, fd: int32(fd)}
	s.tr = s
	sockets.add(s)
	return s
}

// join finds a poller for one more socket.
func (e *epoll) join() (*poller, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pollers == nil {
		n := e.want
		if n == 0 {
			n = (runtime.GOMAXPROCS(0) + 1) / 2
		}
		e.pollers = make([]*poller, n)
	}
	i := e.next % len(e.pollers)
	e.next++
	p := e.pollers[i]
	if p == nil {
		var err error
		if p, err = newPoller(e); err != nil {
			return nil, err
		}
		e.pollers[i] = p
	}
	p.sockets++
	return p, nil
}

// leave ends a poller with its last socket.
func (e *epoll) leave(p *poller) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p.sockets--
	if p.sockets > 0 {
		return
	}
	for i := range e.pollers {
		if e.pollers[i] == p {
			e.pollers[i] = nil
		}
	}
	p.stop()
}
