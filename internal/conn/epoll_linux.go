package conn

import (
	"crypto/tls"
	"fmt"
	"net"
	"runtime"
	"sync"
)

func newAuto() Engine { return &epoll{} }

// NewEpoll makes an engine of its own, with the given number of pollers; zero
// is one for every two processors that Go may use. A plain TCP connection
// costs it no goroutine, buffer, timer or [net.Conn], and neither does TLS that
// was accepted by a [Listener]; all else is served by [Portable].
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
	if s := e.adopt(nc); s != nil {
		s.cfg, s.ev, s.inline, s.tr = cfg, ev, isInline(ev), s
		s.queueAnswer(first)
		return &s.Conn
	}
	return Portable.New(nc, first, cfg, ev)
}

// adopt makes a socket of nc, which the runtime then forgets with all that it
// kept for it. It answers nil, and leaves nc as it was, if nc is nothing for
// epoll or there are no descriptors left.
func (e *epoll) adopt(nc net.Conn) *socket {
	var w *wire
	var secured *tls.Conn
	if t, ok := nc.(*tls.Conn); ok && t.ConnectionState().HandshakeComplete {
		secured, nc = t, t.NetConn()
		if _, ok := nc.(*wire); !ok {
			return nil // nobody could make its Read return without waiting
		}
	}
	if w, _ = nc.(*wire); w != nil {
		nc = w.tcp.Load()
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok || tcp == nil {
		return nil
	}
	s := e.take(tcp)
	if s == nil {
		return nil
	}
	if secured != nil {
		s.secure = &secure{s: s, conn: secured}
		w.secure.Store(s.secure)
	}
	if w != nil {
		w.tcp.Store(nil)
	}
	return s
}

// take moves the descriptor of tcp to a new socket.
func (e *epoll) take(tcp *net.TCPConn) *socket {
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
	s := &socket{p: p, fd: int32(fd)}
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
