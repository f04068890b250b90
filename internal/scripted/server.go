package scripted

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxWaiting is how many handshakes may wait at a door; further ones are
// dropped, which no test should see.
const maxWaiting = 1 << 14

// ErrClosed is returned by what waits for a client when the server is closed.
var ErrClosed = errors.New("the scripted server is closed")

// A Server takes connections and sorts them by the path of their handshake.
type Server struct {
	mu        sync.Mutex // guards everything below
	listeners []net.Listener
	doors     map[string]*Door
	conns     map[net.Conn]struct{}
	closed    bool
	done      chan struct{}
}

// New returns a server that only [Server.Dial] leads to.
func New() *Server {
	return &Server{doors: make(map[string]*Door), conns: make(map[net.Conn]struct{}), done: make(chan struct{})}
}

// Listen returns a server on a free port of the loopback.
func Listen() (*Server, error) {
	s := New()
	_, err := s.Apart("")
	return s, err
}

// URL returns the address of a path, with the scheme ws.
func (s *Server) URL(path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	host := "scripted.test"
	if len(s.listeners) > 0 {
		host = s.listeners[0].Addr().String()
	}
	return "ws://" + host + path
}

// Apart returns another address of a path, at a port that no other has. A client
// may have one handshake under way with a port at a time (RFC 6455, section 4.1),
// so that in a browser one that is left waiting holds up all that go to the same.
func (s *Server) Apart(path string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		l.Close()
		return "", ErrClosed
	}
	s.listeners = append(s.listeners, l)
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return // only Close ends it
			}
			go s.serve(nc)
		}
	}()
	return "ws://" + l.Addr().String() + path, nil
}

// Dial connects in memory, whatever the address. It has the shape of
// net.Dialer.DialContext.
func (s *Server) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	mine, theirs := net.Pipe()
	go s.serve(theirs)
	return mine, nil
}

// Close ends every connection without a word. Nothing waits after it.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	for _, l := range s.listeners {
		l.Close()
	}
	for nc := range s.conns {
		nc.Close()
	}
}

// Door returns the door at a path; before it was asked for, the path is 404.
func (s *Server) Door(path string) *Door {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doors[path]
	if d == nil {
		d = &Door{server: s, waiting: make(chan *Handshake, maxWaiting)}
		s.doors[path] = d
	}
	return d
}

// keep remembers a connection for Close; false if that has been.
func (s *Server) keep(nc net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		nc.Close()
		return false
	}
	s.conns[nc] = struct{}{}
	return true
}

func (s *Server) forget(nc net.Conn) {
	nc.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, nc)
}

// serve reads the handshake of a connection and takes it to its door.
func (s *Server) serve(nc net.Conn) {
	if !s.keep(nc) {
		return
	}
	in := bufio.NewReader(nc)
	r, err := http.ReadRequest(in)
	if err != nil {
		s.forget(nc)
		return
	}
	h := &Handshake{Request: r, At: time.Now(), server: s, nc: nc, in: in}
	s.mu.Lock()
	d := s.doors[r.URL.Path]
	s.mu.Unlock()
	if d == nil {
		h.Refuse(http.StatusNotFound)
		return
	}
	select {
	case d.waiting <- h:
	default:
		s.forget(nc)
	}
}

// A Door is where clients of one path arrive.
type Door struct {
	server  *Server
	waiting chan *Handshake
}

// Knock waits for the next client and returns its handshake, unanswered. The
// error is the context's, or [ErrClosed].
func (d *Door) Knock(ctx context.Context) (*Handshake, error) {
	select {
	case h := <-d.waiting:
		return h, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-d.server.done:
		return nil, ErrClosed
	}
}

// Accept waits for the next client and upgrades it.
func (d *Door) Accept(ctx context.Context) (*Conn, error) {
	h, err := d.Knock(ctx)
	if err != nil {
		return nil, err
	}
	return h.Upgrade(), nil
}
