package finch_test

import (
	"bufio"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
	"github.com/finch-go/finch/internal/frame"
)

// deafClient connects a client that reads its handshake and nothing after it.
// The answer ends the connection.
func deafClient(t *testing.T, h http.Handler, as finch.Identity) (end func()) {
	t.Helper()
	v := waitingClient(t, h, as)
	return func() { v.nc.Close() }
}

// waitingClient connects a client that reads when the test does.
func waitingClient(t *testing.T, h http.Handler, as finch.Identity) *visitor {
	t.Helper()
	r := finchtest.NewRequest("ws://app.test/ws")
	mine, theirs := net.Pipe()
	h.ServeHTTP(&pipeWriter{httptest.NewRecorder(), theirs}, r.WithContext(finch.IdentityContext(r.Context(), as)))
	v := &visitor{t: t, nc: mine, br: bufio.NewReaderSize(mine, 16)}
	var err error
	if v.answer, err = http.ReadResponse(v.br, nil); err != nil || v.answer.StatusCode != 101 {
		t.Fatalf("the handshake was answered %v, %v", v.answer, err)
	}
	t.Cleanup(func() { mine.Close() })
	return v
}

// closeFrame is a client's close frame.
func closeFrame(code int) []byte {
	return frame.AppendMasked(nil, frame.Close, frame.AppendClosePayload(nil, code, ""), [4]byte{1, 2, 3, 4})
}

// maskedText is a text frame of a client.
func maskedText(text string) []byte {
	return frame.AppendMasked(nil, frame.Text, []byte(text), [4]byte{1, 2, 3, 4})
}

// pipeWriter is a ResponseWriter on one end of a pipe.
type pipeWriter struct {
	*httptest.ResponseRecorder
	nc net.Conn
}

func (w *pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.nc, bufio.NewReadWriter(bufio.NewReader(w.nc), bufio.NewWriter(w.nc)), nil
}
