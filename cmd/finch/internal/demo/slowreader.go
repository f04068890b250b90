package demo

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/client"
)

// slowReader is a client in this process that can be kept from reading. It is
// the Go client; its connection is a pipe, because a kernel would take megabytes
// before a server could tell that nobody reads.
type slowReader struct {
	slow     *slow
	pipes    *pipes
	server   *http.Server
	client   *client.Client
	deafness atomic.Pointer[<-chan struct{}] // nil, or closed when it shall read again
	ended    chan struct{}
}

// slowUser is how the manager knows the reader.
const slowUser = "slow reader"

// newSlowReader connects a reader that is in the room and reads.
func newSlowReader(ctx context.Context, s *slow, room string) (*slowReader, error) {
	r := &slowReader{slow: s, pipes: newPipes(), ended: make(chan struct{})}
	r.server = &http.Server{
		ReadHeaderTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, rq *http.Request) {
			s.rooms.ServeHTTP(w, rq.WithContext(finch.IdentityContext(rq.Context(), finch.Identity{User: slowUser})))
		}),
	}
	go r.server.Serve(r.pipes)
	var err error
	r.client, err = client.Dial(ctx, "ws://localhost/slow", &client.Options{
		Dial: r.dial, Logger: s.logger, RetryFirst: 250 * time.Millisecond,
	})
	if err != nil {
		r.server.Close()
		return nil, err
	}
	if _, err := r.client.Room(room).Join(ctx); err != nil {
		r.client.Close()
		r.server.Close()
		return nil, err
	}
	go r.read(ctx, r.client.Room(room))
	return r, nil
}

// ignore keeps the reader from reading until a channel is closed.
func (r *slowReader) ignore(until <-chan struct{}) { r.deafness.Store(&until) }

// close ends the reader, which reads again by now.
func (r *slowReader) close() {
	r.client.Close()
	<-r.ended
	r.server.Close()
}

// read hands on what comes. What the numbers say is what the page shows.
func (r *slowReader) read(ctx context.Context, room client.Room) {
	defer close(r.ended)
	for event, err := range room.Events(ctx) {
		if err != nil {
			return
		}
		switch e := event.(type) {
		case *client.Message:
			var tick Tick
			if e.Decode(&tick) == nil {
				r.slow.got(tick.N)
			}
		case *client.Reset:
			r.slow.wasReset(e.Reason)
		}
	}
}

func (r *slowReader) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c, err := r.pipes.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &slowConn{c, r}, nil
}

// slowConn is a connection whose bytes are kept back while its reader is deaf.
type slowConn struct {
	net.Conn
	reader *slowReader
}

func (c *slowConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if until := c.reader.deafness.Load(); until != nil {
		<-*until
	}
	return n, err
}

// pipes is a listener whose connections stay within the process.
type pipes struct {
	dialled chan net.Conn
	closed  chan struct{}
	once    sync.Once
}

func newPipes() *pipes {
	return &pipes{dialled: make(chan net.Conn), closed: make(chan struct{})}
}

func (p *pipes) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.dialled <- far:
		return near, nil
	case <-p.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.dialled:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr answers an address that is good for a log.
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// got is told each number that the slow reader gets.
func (s *slow) got(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch gap := n - s.now.Got - 1; {
	case gap < 0:
		s.now.Doubled++
		return
	case gap > 0 && (s.reset || s.now.Policy == "latest"):
		s.now.Skipped += gap
	case gap > 0:
		s.now.Lost += gap
	}
	s.reset = false
	s.now.Got = n
	s.heard++
}

// wasReset is told that the slow reader was told to start anew.
func (s *slow) wasReset(why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset = true
	s.step(SlowStep{What: "reset", Why: why})
}
