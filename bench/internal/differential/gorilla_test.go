package differential_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

var gorilla = judge{
	name: "gorilla/websocket",
	ask:  askGorilla,
	lenient: map[string]string{
		"1007 text is not valid UTF-8":                 "8.1: it leaves the check of a text to the application",
		"1002 close payload of one byte":               "5.5.1: the first two bytes MUST be a code; it reads one byte as no code",
		"1002 payload length not in its shortest form": "5.2: the minimal number of bytes MUST be used",
	},
	stricter: []string{"1014"}, // registered after it was written
	limits:   true,
}

func askGorilla(t *testing.T, stream, sizes []byte, limit int) (v verdict) {
	t.Helper()
	nc := &pieceConn{}
	w := &pieceWriter{nc: nc, header: http.Header{}}
	r, _ := http.NewRequest(http.MethodGet, "http://app.test/", nil)
	for name, value := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
		r.Header.Set(name, value)
	}
	c, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		t.Fatal(err)
	}
	for piece := range pieces(stream, sizes) {
		nc.pieces = append(nc.pieces, piece)
	}
	c.SetReadLimit(int64(limit))
	hear := func(kind string) func(string) error {
		return func(payload string) error {
			v.events = append(v.events, message(kind, []byte(payload)))
			return nil
		}
	}
	c.SetPingHandler(hear("ping"))
	c.SetPongHandler(hear("pong"))
	c.SetCloseHandler(func(code int, reason string) error {
		v.events = append(v.events, goodbye(code, reason))
		return nil
	})
	for {
		kind, payload, err := c.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case err == nil:
			v.events = append(v.events, message(map[int]string{websocket.TextMessage: "text", websocket.BinaryMessage: "binary"}[kind], payload))
			continue
		case errors.As(err, &closed): // said, or the stream has ended
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		default:
			v.refused = err.Error()
		}
		return v
	}
}

// pieceConn is a connection from which one piece comes at a time, and into which
// anything goes.
type pieceConn struct {
	net.Conn
	pieces [][]byte
}

func (c *pieceConn) Read(b []byte) (int, error) {
	if len(c.pieces) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.pieces[0])
	if c.pieces[0] = c.pieces[0][n:]; len(c.pieces[0]) == 0 {
		c.pieces = c.pieces[1:]
	}
	return n, nil
}

func (c *pieceConn) Write(b []byte) (int, error)      { return len(b), nil }
func (c *pieceConn) Close() error                     { return nil }
func (c *pieceConn) SetDeadline(time.Time) error      { return nil }
func (c *pieceConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pieceConn) SetWriteDeadline(time.Time) error { return nil }

// pieceWriter lets go of a pieceConn.
type pieceWriter struct {
	nc     net.Conn
	header http.Header
}

func (w *pieceWriter) Header() http.Header         { return w.header }
func (w *pieceWriter) WriteHeader(int)             {}
func (w *pieceWriter) Write(b []byte) (int, error) { return len(b), nil }

func (w *pieceWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.nc, bufio.NewReadWriter(bufio.NewReader(w.nc), bufio.NewWriter(w.nc)), nil
}
