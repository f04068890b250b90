package finch_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// patience is how long a visitor waits for what must come.
const patience = 20 * time.Second

// visitor is a client on a real connection.
type visitor struct {
	t      *testing.T
	nc     net.Conn
	br     *bufio.Reader
	answer *http.Response // to the handshake
	parser frame.Parser
	rest   []byte
}

// visit opens a connection and shakes hands; header lines are added to the
// handshake. What the answer was is for the test to judge.
func visit(t *testing.T, addr net.Addr, path string, header ...string) *visitor {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	return shake(t, nc, addr.String(), path, header...)
}

// visitTLS is visit over TLS, believing any certificate.
func visitTLS(t *testing.T, addr net.Addr, path string) *visitor {
	t.Helper()
	nc, err := tls.Dial("tcp", addr.String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return shake(t, nc, addr.String(), path)
}

func shake(t *testing.T, nc net.Conn, host, path string, header ...string) *visitor {
	t.Helper()
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(patience))
	v := &visitor{t: t, nc: nc, br: bufio.NewReader(nc)}
	fmt.Fprintf(nc, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
		path, host, strings.Join(append(header, ""), "\r\n"))
	var err error
	if v.answer, err = http.ReadResponse(v.br, nil); err != nil {
		t.Fatalf("no answer to the handshake: %v", err)
	}
	return v
}

// welcome fails the test unless the handshake succeeded.
func (v *visitor) welcome() *visitor {
	v.t.Helper()
	if v.answer.StatusCode != http.StatusSwitchingProtocols {
		v.t.Fatalf("the handshake was answered %s", v.answer.Status)
	}
	// The example of RFC 6455 section 1.3.
	if got := v.answer.Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		v.t.Errorf("Sec-WebSocket-Accept is %q", got)
	}
	return v
}

func (v *visitor) write(b []byte) {
	v.t.Helper()
	v.nc.SetWriteDeadline(time.Now().Add(patience))
	if _, err := v.nc.Write(b); err != nil {
		v.t.Errorf("the client cannot write: %v", err)
	}
}

func (v *visitor) text(s string) {
	v.t.Helper()
	v.write(frame.AppendMasked(nil, frame.Text, []byte(s), [4]byte{1, 2, 3, 4}))
}

func (v *visitor) close(code int) {
	v.t.Helper()
	v.write(frame.AppendMasked(nil, frame.Close, frame.AppendClosePayload(nil, code, ""), [4]byte{1, 2, 3, 4}))
}

// read answers the next message or control frame.
func (v *visitor) read() (frame.Event, error) {
	v.nc.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4<<10)
	for {
		for len(v.rest) > 0 {
			ev, n, err := v.parser.Next(&frame.Config{Client: true}, v.rest)
			v.rest = v.rest[n:]
			if err != nil || ev.Opcode != 0 {
				return ev, err
			}
		}
		n, err := v.br.Read(buf)
		if n == 0 && err != nil {
			return frame.Event{}, err
		}
		v.rest = buf[:n]
	}
}

func (v *visitor) expectText(want string) {
	v.t.Helper()
	if ev, err := v.read(); err != nil || ev.Opcode != frame.Text || string(ev.Payload) != want {
		v.t.Fatalf("got %v %.200q %d, %v; want the text %q", ev.Opcode, ev.Payload, ev.Code, err, want)
	}
}

// expect waits for a message on a path, over others.
func (v *visitor) expect(path string) protocol.Envelope {
	v.t.Helper()
	for {
		ev, err := v.read()
		if err != nil || ev.Opcode == frame.Close {
			v.t.Fatalf("nothing came on %q but %v %d, %v", path, ev.Opcode, ev.Code, err)
		}
		e, err := protocol.Parse(append(json.RawMessage(nil), ev.Payload...), protocol.ParseOptions{})
		if err == nil && e.Path == path {
			return e
		}
	}
}

// expectClose reads on until the close frame.
func (v *visitor) expectClose(code int) (reason string) {
	v.t.Helper()
	for {
		ev, err := v.read()
		if err != nil {
			v.t.Fatalf("the connection ended without a close frame: %v", err)
		}
		if ev.Opcode == frame.Close {
			if ev.Code != code {
				v.t.Errorf("closed with %d %s, want %d", ev.Code, ev.Reason, code)
			}
			return ev.Reason
		}
	}
}

// serve lets an App serve on a free port of this machine until the test ends.
func serve(t *testing.T, app *finch.App) net.Addr {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(l) }()
	t.Cleanup(func() {
		if err := app.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Errorf("Shutdown: %v", err)
		}
		if err := <-served; err != http.ErrServerClosed {
			t.Errorf("Serve returned %v", err)
		}
	})
	return l.Addr()
}
