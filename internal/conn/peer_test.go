package conn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// rig is one served connection and the client at its other end.
type rig struct {
	t     *testing.T
	conn  *conn.Conn
	own   *owner
	peer  *peer
	meter *conn.Meter
}

// quiet is a config whose long times do not disturb a test of something else.
func quiet() conn.Config { return conn.Config{Heartbeat: -1, CloseWait: 10 * time.Second} }

// serve starts a connection. When the test ends it is cut off, if it has not
// ended, and checked.
func (s setup) serve(t *testing.T, cfg conn.Config, own *owner) *rig {
	r := s.prepare(t, cfg, own, nil)
	r.conn.Start(nil)
	own.expect("opened")
	return r
}

// prepare makes a connection that has not been started.
func (s setup) prepare(t *testing.T, cfg conn.Config, own *owner, first []byte) *rig {
	server, client := s.pair(t)
	r := &rig{t: t, own: own, meter: new(conn.Meter), peer: &peer{t: t, nc: client}}
	cfg.Meter = r.meter
	r.conn = s.engine.New(server, first, cfg.Ready(), own)
	own.c = r.conn
	t.Cleanup(r.end)
	return r
}

// end makes sure that the connection is over and left nothing behind.
func (r *rig) end() {
	r.conn.Abort()
	r.peer.nc.Close()
	r.own.closed()
	r.own.verify()
	for deadline := time.Now().Add(patience); ; {
		queued, metered := r.conn.Queued(), r.meter.Queued.Load()
		if queued == 0 && metered == 0 {
			return
		}
		if time.Now().After(deadline) {
			r.t.Errorf("%d bytes are still queued, %d metered", queued, metered)
			return
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond) // real only outside a bubble
	}
}

// send sends a text to the peer.
func (r *rig) send(text string) error {
	return r.conn.Send(frame.AppendFrame(nil, frame.Text, []byte(text)))
}

// peer is the client: a plain connection that is read when the test says so.
type peer struct {
	t      *testing.T
	nc     net.Conn
	parser frame.Parser
	buf    [4 << 10]byte
	rest   []byte
	wait   time.Duration // for a frame; zero: patience
}

var clientFrames = &frame.Config{Client: true}

var mask = [4]byte{0xde, 0xad, 0xbe, 0xef}

func masked(op frame.Opcode, payload string) []byte {
	return frame.AppendMasked(nil, op, []byte(payload), mask)
}

func maskedClose(code int, reason string) []byte {
	return frame.AppendMasked(nil, frame.Close, frame.AppendClosePayload(nil, code, reason), mask)
}

// write writes bytes, all of them.
func (p *peer) write(b []byte) {
	p.t.Helper()
	p.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := p.nc.Write(b); err != nil {
		p.t.Errorf("the client cannot write: %v", err)
	}
}

func (p *peer) text(s string) {
	p.t.Helper()
	p.write(masked(frame.Text, s))
}

func (p *peer) close(code int, reason string) {
	p.t.Helper()
	p.write(maskedClose(code, reason))
}

// read answers the next message or control frame, or how the stream ended.
func (p *peer) read() (frame.Event, error) {
	wait := p.wait
	if wait == 0 {
		wait = patience
	}
	p.nc.SetReadDeadline(time.Now().Add(wait))
	for {
		for len(p.rest) > 0 {
			ev, n, err := p.parser.Next(clientFrames, p.rest)
			p.rest = p.rest[n:]
			if err != nil || ev.Opcode != 0 {
				return ev, err
			}
		}
		n, err := p.nc.Read(p.buf[:])
		p.rest = p.buf[:n]
		if n == 0 && err != nil {
			return frame.Event{}, err
		}
	}
}

func (p *peer) next() frame.Event {
	p.t.Helper()
	ev, err := p.read()
	if err != nil {
		p.t.Fatalf("the client cannot read: %v", err)
	}
	return ev
}

func (p *peer) expectText(want string) {
	p.t.Helper()
	if ev := p.next(); ev.Opcode != frame.Text || string(ev.Payload) != want {
		p.t.Fatalf("the client got %v %.100q (code %d), want the text %q", ev.Opcode, ev.Payload, ev.Code, want)
	}
}

func (p *peer) expectClose(code int) (reason string) {
	p.t.Helper()
	ev := p.next()
	if ev.Opcode != frame.Close || ev.Code != code {
		p.t.Fatalf("the client got %v %.100q (code %d), want close %d", ev.Opcode, ev.Payload, ev.Code, code)
	}
	return ev.Reason
}

// expectEnd waits for the end of the stream behind the last frame.
func (p *peer) expectEnd() {
	p.t.Helper()
	if ev, err := p.read(); err == nil {
		p.t.Fatalf("the client got %v %.100q behind the end", ev.Opcode, ev.Payload)
	} else if errors.Is(err, os.ErrDeadlineExceeded) {
		p.t.Fatal("the stream did not end")
	}
}

// discard reads on until the stream ends.
func (p *peer) discard() {
	p.nc.SetReadDeadline(time.Time{})
	io.Copy(io.Discard, p.nc)
}

// small narrows the kernel's buffers of a TCP connection, so that it blocks
// soon.
func small(nc net.Conn) {
	if inner, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = inner.NetConn()
	}
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetReadBuffer(8 << 10)
		tcp.SetWriteBuffer(8 << 10)
	}
}

func filler(n int) string { return string(bytes.Repeat([]byte("x"), n)) }
