package scripted

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/finch-go/finch/protocol"
)

// keyGUID is appended to the client's key (RFC 6455 section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// A Handshake is a client that waits for an answer. Exactly one of its methods
// but Token and Offered is to be called.
type Handshake struct {
	// Request is what the client sent. Its body is not to be read.
	Request *http.Request
	// At is when it arrived.
	At time.Time

	server *Server
	nc     net.Conn
	in     *bufio.Reader
}

// Offered returns the subprotocols that the client offered.
func (h *Handshake) Offered() []string {
	var all []string
	for _, line := range h.Request.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(name))
		}
	}
	return all
}

// Token returns the token that the client gave, whichever way; empty if none.
func (h *Handshake) Token() string {
	if bearer, ok := strings.CutPrefix(h.Request.Header.Get("Authorization"), "Bearer "); ok {
		return bearer
	}
	for _, name := range h.Offered() {
		if token, ok := protocol.DecodeToken(name); ok {
			return token
		}
	}
	return ""
}

// Refuse answers with an HTTP status and a sentence, and ends the connection.
func (h *Handshake) Refuse(status int) {
	h.Say(fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 8\r\nConnection: close\r\n\r\nrefused.", status, http.StatusText(status)))
}

// Say writes bytes in place of an answer and ends the connection.
func (h *Handshake) Say(answer []byte) {
	h.nc.Write(answer)
	h.server.forget(h.nc)
}

// Drop ends the connection without an answer.
func (h *Handshake) Drop() { h.server.forget(h.nc) }

// Keep returns the connection, for a test that never answers or sends what
// looks like an answer. It ends with the server.
func (h *Handshake) Keep() net.Conn { return h.nc }

// Upgrade answers as the RFC wants it, with the subprotocol finch.v1.json if it
// was offered, and returns the connection.
func (h *Handshake) Upgrade() *Conn {
	sum := sha1.Sum([]byte(h.Request.Header.Get("Sec-WebSocket-Key") + keyGUID))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n"
	if slices.Contains(h.Offered(), protocol.SubprotocolJSON) {
		answer += "Sec-WebSocket-Protocol: " + protocol.SubprotocolJSON + "\r\n"
	}
	h.nc.Write([]byte(answer + "\r\n"))
	return newConn(h)
}
