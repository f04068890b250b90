package conn_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// patience is how long a test waits for what must happen, before it fails.
const patience = 20 * time.Second

// owner is an Events made of functions; those that are nil do nothing.
type owner struct {
	opened   func(c *conn.Conn)
	early    func(op frame.Opcode, p []byte) bool
	received func(c *conn.Conn, op frame.Opcode, p []byte)
	deaf     func(error)
	closing  func()
	closed   func(conn.Close)
	inline   bool

	c     *conn.Conn
	ready chan struct{} // closed when c is set
	end   chan conn.Close
}

func (o *owner) Opened() {
	<-o.ready
	if o.opened != nil {
		o.opened(o.c)
	}
}

func (o *owner) Early(op frame.Opcode, p []byte) bool { return o.early != nil && o.early(op, p) }

func (o *owner) Received(op frame.Opcode, p []byte) {
	if o.received != nil {
		o.received(o.c, op, p)
	}
}

func (o *owner) Ending(conn.Close, bool) {}
func (o *owner) Writable()               {}

func (o *owner) Deaf(err error) {
	if o.deaf != nil {
		o.deaf(err)
	}
}

func (o *owner) Closing() {
	if o.closing != nil {
		o.closing()
	}
}

func (o *owner) Closed(why conn.Close) {
	if o.closed != nil {
		o.closed(why)
	}
	o.end <- why
}

func (o *owner) Inline() bool { return o.inline }

// ended waits for Closed.
func (o *owner) ended(t testing.TB) conn.Close {
	t.Helper()
	select {
	case why := <-o.end:
		return why
	case <-time.After(patience):
		t.Fatal("Closed was not called")
		return conn.Close{}
	}
}

// serve starts o on nc.
func (o *owner) serve(e conn.Engine, nc net.Conn, cfg conn.Config) *conn.Conn {
	o.ready = make(chan struct{})
	o.end = make(chan conn.Close, 2)
	o.c = e.New(nc, nil, cfg.Ready(), o)
	close(o.ready)
	o.c.Start(nil)
	return o.c
}

func echo(c *conn.Conn, op frame.Opcode, p []byte) { c.Send(frame.AppendFrame(nil, op, p)) }

// peer is the client's end of a connection.
type peer struct {
	net.Conn
	t      testing.TB
	parser frame.Parser
	rest   []byte
	mu     sync.Mutex // for writing
}

var clientSide = frame.Config{Client: true}

func newPeer(t testing.TB, nc net.Conn) *peer {
	t.Cleanup(func() { nc.Close() })
	return &peer{Conn: nc, t: t}
}

// say sends one masked frame.
func (p *peer) say(op frame.Opcode, payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, err := p.Write(frame.AppendMasked(nil, op, payload, [4]byte{1, 2, 3, 4}))
	return err
}

// hear answers the next event, or an error of the connection.
func (p *peer) hear() (frame.Event, error) {
	p.SetReadDeadline(time.Now().Add(patience))
	for {
		for len(p.rest) > 0 {
			ev, n, err := p.parser.Next(&clientSide, p.rest)
			p.rest = p.rest[n:]
			if err != nil {
				return ev, err
			}
			if ev.Opcode != 0 {
				return ev, nil
			}
		}
		buf := make([]byte, 64<<10)
		n, err := p.Read(buf)
		if err != nil {
			return frame.Event{}, err
		}
		p.rest = buf[:n]
	}
}

// expect fails the test unless the next event is this one.
func (p *peer) expect(op frame.Opcode, payload string) frame.Event {
	p.t.Helper()
	ev, err := p.hear()
	if err != nil {
		p.t.Fatalf("waiting for %v: %v", op, err)
	}
	if ev.Opcode != op || op != frame.Close && string(ev.Payload) != payload {
		p.t.Fatalf("heard %v of %d bytes, want %v of %d", ev.Opcode, len(ev.Payload), op, len(payload))
	}
	return ev
}

// expectEnd fails the test unless the stream has ended.
func (p *peer) expectEnd() {
	p.t.Helper()
	if ev, err := p.hear(); err != io.EOF {
		p.t.Fatalf("heard %v %v, want the end of the stream", ev.Opcode, err)
	}
}

// loopback answers both ends of a TCP connection.
func loopback(t testing.TB) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return server, client
}
