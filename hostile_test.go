package finch_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// First bytes of frames that are whole messages; part takes the FIN bit away
// again.
const (
	contFrame   = 0x80
	textFrame   = 0x81
	binaryFrame = 0x82
	endFrame    = 0x88
	pingFrame   = 0x89
	pongFrame   = 0x8A

	finBit  = 0x80
	maskBit = 0x80
)

var maskKey = [4]byte{0x37, 0xFA, 0x00, 0xFF}

// whole is a frame as a client sends it.
func whole(b0 byte, payload string) string { return promise(b0, len(payload), payload) }

// part is a frame that does not end its message.
func part(b0 byte, payload string) string { return whole(b0&^finBit, payload) }

// promise is a frame whose header announces size bytes, whatever follows.
func promise(b0 byte, size int, payload string) string {
	b := append(head(b0, maskBit, size), maskKey[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^maskKey[i%4])
	}
	return string(b)
}

// unmasked is a frame that only a server may send.
func unmasked(b0 byte, payload string) string {
	return string(head(b0, 0, len(payload))) + payload
}

func head(b0, mask byte, size int) []byte {
	switch {
	case size < 126:
		return []byte{b0, mask | byte(size)}
	case size < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{b0, mask | 126}, uint16(size))
	}
	return binary.BigEndian.AppendUint64([]byte{b0, mask | 127}, uint64(size))
}

// goodbye is the payload of a close frame.
func goodbye(code int, reason string) string {
	return string([]byte{byte(code >> 8), byte(code)}) + reason
}

// hostile is a client that sends whatever bytes it is told to, in whatever
// pieces, and reads with an eye on every rule that binds a server.
type hostile struct {
	t  testing.TB
	nc net.Conn
	r  *bufio.Reader

	inside byte   // opcode of the fragmented message that the server sends
	data   []byte // of it, so far
	closed bool   // the server's close frame has come
}

// hostileWait is how long an answer may take on a machine that is very busy.
const hostileWait = 30 * time.Second

func newHostile(t testing.TB, nc net.Conn) *hostile {
	h := &hostile{t: t, nc: nc, r: bufio.NewReader(nc)}
	h.wait()
	return h
}

// wait begins to be patient anew.
func (h *hostile) wait() { h.nc.SetDeadline(time.Now().Add(hostileWait)) }

// send writes in pieces of the sizes given, the last size again and again;
// without sizes in one piece. Between pieces the server gets time to read, so
// that it really sees pieces; what must come back does not depend on it. An
// error is not reported: the server may have closed in the middle.
func (h *hostile) send(stream string, sizes ...int) {
	for len(stream) > 0 {
		n := len(stream)
		if len(sizes) > 0 {
			n = min(sizes[0], n)
			if len(sizes) > 1 {
				sizes = sizes[1:]
			}
		}
		if _, err := io.WriteString(h.nc, stream[:n]); err != nil {
			return
		}
		if stream = stream[n:]; stream != "" {
			time.Sleep(20 * time.Microsecond)
		}
	}
}

// an answer to a handshake, as it came.
type answer struct {
	status int
	line   string
	header []string // lines
}

// values answers the values of a header, whose name is compared as RFC 9110
// section 5.1 says.
func (a answer) values(name string) (values []string) {
	for _, line := range a.header {
		if n, v, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
			values = append(values, strings.TrimSpace(v))
		}
	}
	return values
}

// answer reads the head of an HTTP answer, and its body unless it is a 101.
func (h *hostile) answer() (a answer) {
	h.t.Helper()
	for {
		line, err := h.r.ReadString('\n')
		if err != nil {
			h.t.Fatalf("the answer ended after %q: %v", a.header, err)
		}
		line = strings.TrimSuffix(line, "\r\n")
		if line == "" {
			break
		}
		if a.line == "" {
			a.line = line
			fmt.Sscanf(line, "HTTP/1.%1d %d", new(int), &a.status)
			continue
		}
		a.header = append(a.header, line)
	}
	if v := a.values("Content-Length"); len(v) == 1 {
		var n int
		fmt.Sscan(v[0], &n)
		if _, err := io.CopyN(io.Discard, h.r, int64(n)); err != nil {
			h.t.Fatalf("the body of the answer: %v", err)
		}
	}
	return a
}

// errBroken is a rule that the server broke.
type errBroken string

func (e errBroken) Error() string { return string(e) }

// next reads what the server says: `text "..."`, `binary "..."`, `ping "..."`,
// `pong "..."`, `close CODE`, or `end` when its half of the stream has ended
// behind a close frame.
func (h *hostile) next() (string, error) {
	for {
		var b [2]byte
		if _, err := io.ReadFull(h.r, b[:]); err != nil {
			if errors.Is(err, io.EOF) && h.closed {
				return "end", nil
			}
			return "", fmt.Errorf("the stream ended without a close frame, or not at all: %w", err)
		}
		op, fin := b[0]&15, b[0]&finBit != 0
		switch {
		case h.closed:
			return "", errBroken("5.5.1: a frame came behind the close frame")
		case b[0]&0x70 != 0:
			return "", errBroken("5.2: a reserved bit is set and no extension was agreed on")
		case b[1]&maskBit != 0:
			return "", errBroken("5.1: a server must not mask")
		case op > 2 && op < 8 || op > 10:
			return "", errBroken("5.2: a reserved opcode")
		case op >= 8 && (!fin || b[1] > 125):
			return "", errBroken("5.5: a control frame that is fragmented or too long")
		case op == 0 && h.inside == 0, (op == 1 || op == 2) && h.inside != 0:
			return "", errBroken("5.4: fragments of two messages are mixed")
		}
		payload, err := h.payload(b[1])
		if err != nil {
			return "", err
		}
		if op >= 8 {
			return h.control(op, payload)
		}
		if op != 0 {
			h.inside = op
		}
		h.data = append(h.data, payload...)
		if !fin {
			continue
		}
		name, data := map[byte]string{1: "text", 2: "binary"}[h.inside], h.data
		h.inside, h.data = 0, nil
		if name == "text" && !utf8.Valid(data) {
			return "", errBroken("8.1: a text that is not UTF-8")
		}
		return fmt.Sprintf("%s %q", name, data), nil
	}
}

func (h *hostile) payload(size byte) ([]byte, error) {
	n := uint64(size)
	if wide := map[byte]int{126: 2, 127: 8}[size]; wide > 0 {
		var b [8]byte
		if _, err := io.ReadFull(h.r, b[8-wide:]); err != nil {
			return nil, err
		}
		n = binary.BigEndian.Uint64(b[:])
		if n < 126 || wide == 8 && n < 1<<16 {
			return nil, errBroken("5.2: a length that is not in its shortest form")
		}
	}
	payload := make([]byte, n)
	_, err := io.ReadFull(h.r, payload)
	return payload, err
}

func (h *hostile) control(op byte, payload []byte) (string, error) {
	switch op {
	case 9:
		return fmt.Sprintf("ping %q", payload), nil
	case 10:
		return fmt.Sprintf("pong %q", payload), nil
	}
	h.closed = true
	switch {
	case len(payload) == 0:
		return "close 1005", nil
	case len(payload) == 1:
		return "", errBroken("5.5.1: a close frame of one byte")
	case !utf8.Valid(payload[2:]):
		return "", errBroken("5.5.1: a reason that is not UTF-8")
	}
	return fmt.Sprintf("close %d", binary.BigEndian.Uint16(payload)), nil
}

// expect reads as many things as it is told and fails if they are others.
func (h *hostile) expect(want ...string) {
	h.t.Helper()
	for _, w := range want {
		got, err := h.next()
		if err != nil {
			h.t.Fatalf("%v; want %s", err, w)
		}
		if got != w {
			h.t.Fatalf("got %.200s, want %.200s", got, w)
		}
	}
}

// halfClose ends the client's half of the stream and nothing more.
func (h *hostile) halfClose() {
	if half, ok := h.nc.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// reset throws the connection away as a machine that crashes does.
func (h *hostile) reset() {
	nc := h.nc
	if t, ok := nc.(*tls.Conn); ok {
		nc = t.NetConn()
	}
	if t, ok := nc.(*net.TCPConn); ok {
		t.SetLinger(0)
	}
	nc.Close()
}

// requestOf writes a handshake for a path: the one that any client sends, with
// changes. "Name: value" replaces a header, "+Name: value" adds a line, "-Name"
// takes a header out, and what ends in HTTP/1.x is another request line.
func requestOf(path string, changes ...string) string {
	lines := []string{
		"GET " + path + " HTTP/1.1",
		"Host: app.test",
		"Upgrade: websocket",
		"Connection: Upgrade",
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", // of RFC 6455 section 1.3
		"Sec-WebSocket-Version: 13",
	}
	find := func(name string) int {
		for i, line := range lines {
			if n, _, _ := strings.Cut(line, ":"); strings.EqualFold(n, name) {
				return i
			}
		}
		return -1
	}
	for _, change := range changes {
		name, _, _ := strings.Cut(change, ":")
		i := find(strings.TrimPrefix(name, "-"))
		switch {
		case strings.Contains(change, " HTTP/"):
			lines[0] = change
		case change[0] == '-':
			lines = append(lines[:i], lines[i+1:]...)
		case change[0] == '+', i < 0:
			lines = append(lines, strings.TrimPrefix(change, "+"))
		default:
			lines[i] = change
		}
	}
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("\r\n")
	return b.String()
}
