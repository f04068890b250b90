package finch

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// gate is where HTTP requests become WebSocket connections: the opening
// handshake of RFC 6455 section 4.2. A manager has one, and so has an App for
// its raw routes.
type gate struct {
	origins []string
	keep    []string
	trusted []netip.Prefix
	engine  conn.Engine
	config  *conn.Config
	logger  *slog.Logger

	compression *compression
	compressed  *conn.Config // config for who agreed on it
}

// connect serves a connection that was taken over.
func (g *gate) connect(h hijacked, r hub.Rendition, ev conn.Events) *conn.Conn {
	config := g.config
	if r != 0 {
		config = g.compressed
	}
	return g.engine.New(h.nc, h.answer, config, ev)
}

// check refuses a request before anything is hijacked, so that whoever sent
// it gets an ordinary HTTP answer.
func (g *gate) check(r *http.Request) *Error {
	switch {
	case r.Method != http.MethodGet:
		return &Error{http.StatusMethodNotAllowed, "method_not_allowed", "A WebSocket handshake is a GET request."}
	case r.ProtoMajor != 1 || r.ProtoMinor < 1:
		return &Error{http.StatusHTTPVersionNotSupported, "http_version", "A WebSocket handshake needs HTTP/1.1; a browser chooses it by itself."}
	case !hasToken(r.Header, "Connection", "upgrade") || !hasToken(r.Header, "Upgrade", "websocket"):
		return notWebSocket(r)
	case len(r.Header["Sec-Websocket-Version"]) > 1: // RFC 6455 section 11.3.5
		return &Error{http.StatusBadRequest, "bad_version", "Sec-WebSocket-Version must be sent once."}
	case r.Header.Get("Sec-Websocket-Version") != "13":
		return &Error{http.StatusUpgradeRequired, "bad_version", "Sec-WebSocket-Version must be 13."}
	case !validKey(r.Header["Sec-Websocket-Key"]):
		return &Error{http.StatusBadRequest, "bad_key", "Sec-WebSocket-Key must be the base64 of 16 bytes, once."}
	case r.ContentLength != 0: // or the body would be read as frames
		return &Error{http.StatusBadRequest, "unexpected_body", "A WebSocket handshake has no body."}
	case !originAllowed(r, g.origins):
		origin := r.Header.Get("Origin")
		g.logger.Warn("finch: refused a page of another origin", "origin", origin, "host", r.Host,
			"to_allow_it", fmt.Sprintf("AllowedOrigins: []string{%q}", origin))
		return &Error{http.StatusForbidden, "origin_not_allowed", "Pages of this origin may not connect; the server's log says how to allow it."}
	}
	return nil
}

// shuttingDown is what a handshake gets that comes too late.
var shuttingDown = &Error{http.StatusServiceUnavailable, "shutting_down", "The server is shutting down; try again."}

// notWebSocket is what an ordinary request to a WebSocket address gets.
func notWebSocket(r *http.Request) *Error {
	return &Error{http.StatusUpgradeRequired, "not_websocket",
		"This address speaks WebSocket: connect to it with new WebSocket(\"" + socketURL(r) + "\")."}
}

func socketURL(r *http.Request) string {
	scheme := "ws"
	if r.TLS != nil {
		scheme = "wss"
	}
	return scheme + "://" + r.Host + r.URL.EscapedPath()
}

// refuse writes the HTTP answer of a failed handshake: one sentence.
func refuse(w http.ResponseWriter, e *Error) {
	h := w.Header()
	switch e.Status {
	case http.StatusUpgradeRequired: // RFC 9110 section 15.5.22, RFC 6455 section 4.4
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
		h.Set("Sec-WebSocket-Version", "13")
	case http.StatusMethodNotAllowed:
		h.Set("Allow", http.MethodGet)
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "1")
	}
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(e.Status)
	fmt.Fprintln(w, e.Message)
}

func hasToken(h http.Header, name, token string) bool {
	return slices.ContainsFunc(headerList(h, name), func(v string) bool { return strings.EqualFold(v, token) })
}

func validKey(keys []string) bool {
	if len(keys) != 1 {
		return false
	}
	raw, err := base64.StdEncoding.DecodeString(keys[0])
	return err == nil && len(raw) == 16
}

// subprotocol picks what the answer names: finch.v1.json if it was offered,
// else nothing. A client that offers others is served all the same; it is the
// client that decides whether it can live without them.
func subprotocol(r *http.Request) string {
	if slices.Contains(headerList(r.Header, "Sec-Websocket-Protocol"), protocol.SubprotocolJSON) {
		return protocol.SubprotocolJSON
	}
	return ""
}

// offersFinch tells whether the client offered any finch. subprotocol: then
// it reads close codes, which a browser shows to scripts, unlike the HTTP
// status of a refused upgrade.
func offersFinch(r *http.Request) bool {
	return slices.ContainsFunc(headerList(r.Header, "Sec-Websocket-Protocol"),
		func(p string) bool { return strings.HasPrefix(p, protocol.FrameworkPrefix) })
}

// hijacked is a connection that net/http has let go of.
type hijacked struct {
	nc     net.Conn
	answer []byte // the 101, not yet written
	early  []byte // what the client sent behind its handshake
}

// hijack takes the connection over. After an error the response is still the
// caller's to write.
func hijack(w http.ResponseWriter, r *http.Request, subprotocol, extensions string) (hijacked, error) {
	nc, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return hijacked{}, fmt.Errorf("finch: this ResponseWriter cannot be hijacked (a middleware that wraps it needs an Unwrap method): %w", err)
	}
	h := hijacked{nc: nc, answer: switchingProtocols(w.Header(), r.Header.Get("Sec-Websocket-Key"), subprotocol, extensions)}
	if n := brw.Reader.Buffered(); n > 0 {
		buffered, _ := brw.Reader.Peek(n)
		h.early = bytes.Clone(buffered)
	}
	nc.SetDeadline(time.Time{})
	return h, nil
}

// ownHeaders of the answer are not taken over from the ResponseWriter.
var ownHeaders = map[string]bool{
	"Upgrade": true, "Connection": true, "Content-Length": true, "Content-Type": true, "Transfer-Encoding": true,
	"Sec-Websocket-Accept": true, "Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
}

// switchingProtocols is the server's opening handshake (RFC 6455 section
// 4.2.2), with what middleware has set, cookies among it.
func switchingProtocols(h http.Header, key, subprotocol, extensions string) []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(acceptKey(key))
	b.WriteString("\r\n")
	if subprotocol != "" {
		b.WriteString("Sec-WebSocket-Protocol: " + subprotocol + "\r\n")
	}
	if extensions != "" {
		b.WriteString("Sec-WebSocket-Extensions: " + extensions + "\r\n")
	}
	h.WriteSubset(&b, ownHeaders)
	b.WriteString("\r\n")
	return b.Bytes()
}

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
