package bench

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// acceptGUID is appended to the client's key (RFC 6455 section 1.3).
const acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// keyLen is the length of a Sec-WebSocket-Key: 16 bytes in base64.
const keyLen = 24

// maxAnswer bounds what a server may say before its empty line.
const maxAnswer = 16 << 10

// browserHeader is what a current browser sends with an upgrade, beside what
// RFC 6455 asks for, but without an offer to compress: the generator would be
// compared by how fast it inflates.
const browserHeader = "Pragma: no-cache\r\n" +
	"Cache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36\r\n" +
	"Origin: http://%s\r\n" +
	"Accept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: fa-IR,fa;q=0.9,en-US;q=0.8,en;q=0.7\r\n" +
	"Cookie: theme=dark; consent=1; sid=4f1c8a0be2d94f6d9c7be5a1d3f20b7a; lang=fa\r\n"

// A greeting writes upgrade requests and reads the answers (RFC 6455 section 4).
type greeting struct {
	before, after string
	rooms         int // that the mark in before is one of; 0: there is no mark
}

// newGreeting makes the requests of a plan that is ready.
func newGreeting(u *url.URL, p *Plan) *greeting {
	var b strings.Builder
	fmt.Fprintf(&b, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n", u.RequestURI(), u.Host)
	if p.Browser {
		fmt.Fprintf(&b, browserHeader, u.Host)
	}
	for _, line := range p.Header {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ")
	g := &greeting{before: b.String(), after: "\r\n\r\n"}
	if strings.Contains(g.before, roomMark) {
		g.rooms = p.Rooms
	}
	return g
}

// append appends the request of a socket with a new key, which it returns too.
func (g *greeting) append(b []byte, socket int) ([]byte, [keyLen]byte) {
	var raw [16]byte
	for i := range raw {
		raw[i] = byte(rand.Uint32())
	}
	var key [keyLen]byte
	base64.StdEncoding.Encode(key[:], raw[:])
	if g.rooms > 0 {
		b = append(b, strings.ReplaceAll(g.before, roomMark, strconv.Itoa(socket%g.rooms))...)
	} else {
		b = append(b, g.before...)
	}
	b = append(b, key[:]...)
	return append(b, g.after...), key
}

var errAnswer = errors.New("the answer to the handshake is no HTTP response")

// parseAnswer reads the server's answer at the front of b: n is its size, 0 if
// it is not whole yet. An error says why there is no WebSocket.
func parseAnswer(b []byte, key [keyLen]byte) (n int, err error) {
	end := bytes.Index(b, []byte("\r\n\r\n"))
	if end < 0 {
		if len(b) > maxAnswer {
			return 0, errAnswer
		}
		return 0, nil
	}
	line, header, _ := bytes.Cut(b[:end+2], []byte("\r\n"))
	version, status, ok := bytes.Cut(line, []byte(" "))
	if !ok || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return 0, errAnswer
	}
	if !bytes.HasPrefix(status, []byte("101")) {
		return 0, fmt.Errorf("the server refused the handshake: %s", bytes.TrimSpace(status))
	}
	accept := ""
	for len(header) > 0 {
		line, header, _ = bytes.Cut(header, []byte("\r\n"))
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch http.CanonicalHeaderKey(string(name)) {
		case "Sec-Websocket-Accept":
			accept = string(bytes.TrimSpace(value))
		case "Sec-Websocket-Extensions":
			return 0, fmt.Errorf("the server chose an extension that was not offered: %s", bytes.TrimSpace(value))
		}
	}
	sum := sha1.Sum(append(key[:], acceptGUID...))
	if accept != base64.StdEncoding.EncodeToString(sum[:]) {
		return 0, errors.New("the server's Sec-WebSocket-Accept does not fit the key")
	}
	return end + 4, nil
}
