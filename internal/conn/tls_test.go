package conn_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// tlsListener listens for one connection through a Listener, and dials it.
func tlsListener(t *testing.T, version uint16) (net.Listener, net.Conn) {
	t.Helper()
	below, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { below.Close() })
	l := tls.NewListener(conn.Listener(below), &tls.Config{
		Certificates: []tls.Certificate{certificate()}, MinVersion: version, MaxVersion: version,
		DynamicRecordSizingDisabled: true,
	})
	raw, err := net.Dial("tcp", below.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return l, raw
}

// acceptTLS answers the server's end after the handshake.
func acceptTLS(t *testing.T, l net.Listener) *tls.Conn {
	t.Helper()
	nc, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	s := nc.(*tls.Conn)
	if err := s.Handshake(); err != nil {
		t.Fatal(err)
	}
	return s
}

// overTLS runs a fact over all setups with TLS.
func overTLS(t *testing.T, fact func(t *testing.T, s setup)) {
	everywhere(t, func(t *testing.T, s setup) {
		if strings.Contains(s.name, "TLS") {
			fact(t, s)
		}
	})
}

// tap stands below a client's TLS and can hold back what it writes.
type tap struct {
	net.Conn
	mu   sync.Mutex
	hold bool
	held []byte
}

func (w *tap) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hold {
		w.held = append(w.held, b...)
		return len(b), nil
	}
	return w.Conn.Write(b)
}

// records answers what write made TLS write, which has not been sent.
func (w *tap) records(write func()) []byte {
	w.mu.Lock()
	w.hold = true
	w.mu.Unlock()
	write()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold = false
	held := w.held
	w.held = nil
	return held
}

// tapped puts a tap below the client of a TLS setup.
func (s setup) tapped(t *testing.T) (setup, *tap) {
	version := uint16(tls.VersionTLS13)
	if strings.Contains(s.name, "1.2") {
		version = tls.VersionTLS12
	}
	below := new(tap)
	s.pair = func(t *testing.T) (server, client net.Conn) {
		l, raw := tlsListener(t, version)
		below.Conn = raw
		c := tls.Client(below, &tls.Config{InsecureSkipVerify: true})
		shaken := make(chan error, 1)
		go func() { shaken <- c.Handshake() }()
		srv := acceptTLS(t, l)
		if err := <-shaken; err != nil {
			t.Fatal(err)
		}
		return srv, c
	}
	return s, below
}

func (o *owner) echo(op frame.Opcode, payload []byte) {
	if err := o.c.Send(frame.AppendFrame(nil, op, payload)); err != nil {
		o.t.Error(err)
	}
}

func TestTwoRecordsInOneSegmentAreBothRead(t *testing.T) {
	overTLS(t, func(t *testing.T, s setup) {
		s, below := s.tapped(t)
		own := newOwner(t)
		own.onReceived = own.echo
		r := s.serve(t, quiet(), own)
		for round := range 20 {
			below.Write(below.records(func() {
				for i := range 5 {
					r.peer.text(fmt.Sprint(round, i))
				}
			}))
			for i := range 5 {
				r.peer.expectText(fmt.Sprint(round, i))
			}
		}
	})
}

func TestARecordMayComeByteByByte(t *testing.T) {
	overTLS(t, func(t *testing.T, s setup) {
		s, below := s.tapped(t)
		own := newOwner(t)
		own.onReceived = own.echo
		r := s.serve(t, quiet(), own)
		for _, b := range below.records(func() { r.peer.text("one"); r.peer.text("two") }) {
			below.Write([]byte{b})
		}
		r.peer.expectText("one")
		r.peer.expectText("two")
	})
}

func TestHalfARecordIsNoSignOfLife(t *testing.T) {
	overTLS(t, func(t *testing.T, s setup) {
		s, below := s.tapped(t)
		r := s.serve(t, conn.Config{Heartbeat: 30 * time.Millisecond, PongWait: 30 * time.Millisecond, CloseWait: 50 * time.Millisecond}, newOwner(t))
		below.Write(below.records(func() { r.peer.text("never whole") })[:10])
		if why := r.own.closed(); why.Code != 4408 {
			t.Errorf("closed with %+v", why)
		}
	})
}

// TestMegabytesFlowBothWaysAtOnce fills every buffer on the way: neither side
// waits for the other before it sends more.
func TestMegabytesFlowBothWaysAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		const messages, size = 200, 40_000
		own := newOwner(t)
		own.onReceived = own.echo
		cfg := quiet()
		cfg.QueueBytes, cfg.InboxMessages = 2*messages*size, 4
		r := s.serve(t, cfg, own)
		text := filler(size)
		go func() {
			for range messages {
				r.peer.text(text)
			}
		}()
		for range messages {
			r.peer.expectText(text)
		}
	})
}

func TestASlowReaderGetsEverythingThatWasSentBeforeClose(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		const messages, size = 300, 30_000 // more than the kernel keeps
		cfg := quiet()
		cfg.QueueBytes = 2 * messages * size
		r := s.serve(t, cfg, newOwner(t))
		for i := range messages {
			r.send(fmt.Sprintf("%*d", size, i))
		}
		r.conn.Close(1000, "")
		for i := range messages {
			r.peer.expectText(fmt.Sprintf("%*d", size, i))
			if i%50 == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		r.peer.expectClose(1000)
		r.peer.expectEnd()
	})
}

// TestAKeyUpdateIsAnswered lets OpenSSL change its keys in the middle of a
// conversation and ask for ours to be changed (RFC 8446 section 4.6.3).
func TestAKeyUpdateIsAnswered(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Fatal("this test needs the openssl command (Debian: apt-get install openssl)")
	}
	overTLS(t, func(t *testing.T, s setup) {
		if strings.Contains(s.name, "1.2") {
			return // there is no KeyUpdate before TLS 1.3
		}
		l, raw := tlsListener(t, tls.VersionTLS13)
		raw.Close() // OpenSSL dials for itself
		l.Accept()
		cmd := exec.Command(openssl, "s_client", "-connect", l.Addr().String(), "-tls1_3", "-msg")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		log := new(output)
		cmd.Stdout = log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			in.Close()
			cmd.Process.Kill()
			cmd.Wait()
		})
		server := acceptTLS(t, l)
		own := newOwner(t)
		blocked := make(chan struct{})
		own.onReceived = func(op frame.Opcode, payload []byte) {
			own.echo(op, append([]byte("heard:"), payload...))
			if string(payload) == "message 2\n" {
				<-blocked // an answer of TLS does not wait for a handler
			}
		}
		s.pair = func(*testing.T) (net.Conn, net.Conn) { return server, raw }
		s.serve(t, quiet(), own)
		defer close(blocked)
		for round := range 3 {
			// s_client sends a line as it is, so the frame is masked with
			// zeroes and ends in a new line; a line "K" is a command.
			text := fmt.Sprintf("message %d\n", round)
			in.Write(frame.AppendMasked(nil, frame.Text, []byte(text), [4]byte{}))
			until(t, func() bool { return strings.Contains(log.String(), "heard:"+text) })
			io.WriteString(in, "K\n")
			until(t, func() bool {
				return strings.Count(log.String(), ">>> TLS 1.3, Handshake [length 0005], KeyUpdate") == round+1 &&
					strings.Count(log.String(), "<<< TLS 1.3, Handshake [length 0005], KeyUpdate") == round+1
			})
		}
	})
}

// output keeps what a program writes.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// until asks again and again for what no event tells.
func until(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to pass")
		}
		runtime.Gosched()
		time.Sleep(time.Millisecond)
	}
}
