package client

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

const (
	// keyGUID is appended to the client's key (RFC 6455 section 1.3).
	keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	// maxAnswer bounds the head of the server's answer, in bytes.
	maxAnswer = 64 << 10
)

// A refusal is an answer to a handshake that opens no connection.
type refusal struct {
	status int
	text   string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("the server answered the handshake with %d %s", r.status, r.text)
}

// parseAddress checks the address of a server: ws, wss, http or https.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	switch u.Scheme {
	case "ws", "wss":
	case "http":
		u.Scheme = "ws"
	case "https":
		u.Scheme = "wss"
	default:
		return nil, fmt.Errorf("client: the address %q does not begin with ws:// or wss://", address)
	}
	if u.Host == "" {
		return nil, fmt.Errorf("client: the address %q names no host", address)
	}
	if u.Fragment != "" {
		return nil, fmt.Errorf("client: the address %q has a fragment, which a WebSocket has not (RFC 6455 section 3)", address)
	}
	return u, nil
}

// dial opens a connection and shakes hands. The link hands what comes to take.
func (o *Options) dial(ctx context.Context, u *url.URL, token string, take func(*link, frame.Event)) (*link, error) {
	nc, err := o.Dial(ctx, "tcp", hostPort(u))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	in, err := o.shake(ctx, &nc, u, token)
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		nc.Close()
		if cause := context.Cause(ctx); cause != nil { // and not that the connection was closed for it
			return nil, cause
		}
		return nil, err
	}
	return newLink(nc, in, o.MaxMessage, take), nil
}

// shake puts TLS on the connection where that is wanted, and upgrades it.
func (o *Options) shake(ctx context.Context, nc *net.Conn, u *url.URL, token string) (*bufio.Reader, error) {
	if u.Scheme == "wss" {
		config := o.TLS.Clone()
		if config == nil {
			config = new(tls.Config)
		}
		if config.ServerName == "" {
			config.ServerName = u.Hostname()
		}
		config.NextProtos = []string{"http/1.1"}
		secured := tls.Client(*nc, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		*nc = secured
	}
	random := make([]byte, 16)
	rand.Read(random)
	key := base64.StdEncoding.EncodeToString(random)
	r := o.request(u, key, token)
	if err := r.Write(*nc); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: *nc, N: maxAnswer}
	in := bufio.NewReader(limited)
	answer, err := http.ReadResponse(in, r)
	if err != nil {
		return nil, fmt.Errorf("the server's answer to the handshake is none: %w", err)
	}
	if err := checkAnswer(answer, key); err != nil {
		return nil, err
	}
	limited.N = 1<<63 - 1
	return in, nil
}

// request is the handshake's (RFC 6455 section 4.1).
func (o *Options) request(u *url.URL, key, token string) *http.Request {
	target := *u
	target.Scheme = "http"
	header := o.Header.Clone()
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", "websocket")
	header.Set("Sec-WebSocket-Version", "13")
	header.Set("Sec-WebSocket-Key", key)
	header.Set("Sec-WebSocket-Protocol", protocol.SubprotocolJSON)
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	if u.User != nil && header.Get("Authorization") == "" {
		password, _ := u.User.Password()
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	r := &http.Request{Method: http.MethodGet, URL: &target, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Host: u.Host}
	if host := header.Get("Host"); host != "" {
		r.Host = host
	}
	return r
}

// checkAnswer checks what RFC 6455 section 4.1 asks of the server.
func checkAnswer(answer *http.Response, key string) error {
	if answer.StatusCode != http.StatusSwitchingProtocols {
		answer.Body.Close()
		return &refusal{answer.StatusCode, http.StatusText(answer.StatusCode)}
	}
	sum := sha1.Sum([]byte(key + keyGUID))
	h := answer.Header
	switch {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket") || !hasToken(h.Values("Connection"), "upgrade"):
		return errors.New("the server's answer to the handshake upgrades to something else")
	case h.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		return errors.New("the server's answer to the handshake is for another key: a cache may stand between")
	case len(h.Values("Sec-WebSocket-Extensions")) > 0:
		return errors.New("the server chose an extension that was not offered")
	}
	if p := h.Get("Sec-WebSocket-Protocol"); p != "" && p != protocol.SubprotocolJSON {
		return errors.New("the server chose a subprotocol that was not offered")
	}
	return nil
}

// hasToken looks for a token in the lists of a header.
func hasToken(lines []string, token string) bool {
	for _, line := range lines {
		for one := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(one), token) {
				return true
			}
		}
	}
	return false
}

func hostPort(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "wss" {
		return net.JoinHostPort(u.Hostname(), "443")
	}
	return net.JoinHostPort(u.Hostname(), "80")
}
