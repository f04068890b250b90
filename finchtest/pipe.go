package finchtest

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

// NewRequest returns a WebSocket handshake for url, such as
// "ws://app.test/ws?room=7", ready for changes before [ConnectRequest].
func NewRequest(url string) *http.Request {
	url = strings.Replace(url, "ws", "http", 1)
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		panic("finchtest: " + err.Error())
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "192.0.2.1:1234" // RFC 5737: for documentation
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Sec-WebSocket-Version", "13")
	r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
	return r
}

// Connect connects to h, a manager or anything that leads to one at /ws, as
// somebody: Authenticate is not asked. The test fails if the handshake does.
// The connection is closed when the test ends; inside synctest, h is shut down
// then too, if it can be, because nothing of it may outlive the bubble.
func Connect(t testing.TB, h http.Handler, as finch.Identity) *Client {
	t.Helper()
	r := NewRequest("ws://app.test/ws")
	return ConnectRequest(t, h, r.WithContext(finch.IdentityContext(r.Context(), as)))
}

// ConnectRequest connects with a handshake of the test's own making.
func ConnectRequest(t testing.TB, h http.Handler, r *http.Request) *Client {
	t.Helper()
	c := newClient(t, r, func() net.Conn { return dial(t, h, r) })
	t.Cleanup(func() { shutDown(h) })
	t.Cleanup(c.leave)
	return c
}

// dial opens a connection to h.
func dial(t testing.TB, h http.Handler, r *http.Request) net.Conn {
	t.Helper()
	mine, theirs := net.Pipe()
	w := &hijackWriter{header: make(http.Header), nc: theirs}
	h.ServeHTTP(w, r)
	if !w.hijacked {
		mine.Close()
		t.Fatalf("finchtest: the handshake was answered %d %s", w.status, bytes.TrimSpace(w.body.Bytes()))
	}
	return mine
}

// shutDown ends a manager or an app with its bubble.
func shutDown(h http.Handler) {
	if s, ok := h.(interface{ Shutdown(context.Context) error }); ok && quiesced() {
		ctx, cancel := context.WithTimeout(context.Background(), farewell)
		defer cancel()
		s.Shutdown(ctx)
	}
}

// hijackWriter is a ResponseWriter whose connection is one end of a pipe.
type hijackWriter struct {
	header   http.Header
	nc       net.Conn
	status   int
	body     bytes.Buffer
	hijacked bool
}

func (w *hijackWriter) Header() http.Header { return w.header }

func (w *hijackWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *hijackWriter) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(b)
}

func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	w.hijacked = true
	return w.nc, bufio.NewReadWriter(bufio.NewReader(w.nc), bufio.NewWriter(w.nc)), nil
}
