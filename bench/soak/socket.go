package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// answerWithin is how long an honest client waits for anything.
const answerWithin = 30 * time.Second

// socket is a client's end of a connection.
type socket struct {
	nc     net.Conn
	r      *bufio.Reader
	rng    *rand.Rand
	parser frame.Parser
	buf    []byte // not parsed yet
	space  [16 << 10]byte
}

// dial connects and says nothing.
func (s *server) dial(rng *rand.Rand) (*socket, error) {
	nc, err := net.DialTimeout("tcp", s.addr, answerWithin)
	if err != nil {
		return nil, err
	}
	if s.tls {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	}
	nc.SetDeadline(time.Now().Add(answerWithin))
	return &socket{nc: nc, r: bufio.NewReader(nc), rng: rng}, nil
}

func request(path string) string {
	return "GET " + path + " HTTP/1.1\r\nHost: soak.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
}

// open connects and shakes hands.
func (s *server) open(path string, rng *rand.Rand) (*socket, error) {
	k, err := s.dial(rng)
	if err != nil {
		return nil, err
	}
	if _, err = io.WriteString(k.nc, request(path)); err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(k.r, nil); err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("%s was answered %s", path, answer.Status)
		}
	}
	if err != nil {
		k.nc.Close()
		return nil, err
	}
	return k, nil
}

// masked is one frame with a fresh key.
func (k *socket) masked(op frame.Opcode, payload []byte) []byte {
	var key [4]byte
	for i := range key {
		key[i] = byte(k.rng.Uint32())
	}
	return frame.AppendMasked(nil, op, payload, key)
}

func (k *socket) send(op frame.Opcode, payload []byte) error {
	k.nc.SetDeadline(time.Now().Add(answerWithin))
	_, err := k.nc.Write(k.masked(op, payload))
	return err
}

// fragments is a message in pieces, sometimes with a ping between.
func (k *socket) fragments(op frame.Opcode, payload []byte) (b []byte) {
	for first := true; ; first = false {
		n := k.rng.IntN(len(payload) + 1)
		last := n == len(payload) || k.rng.IntN(4) == 0
		if last {
			n = len(payload)
		}
		h := frame.Header{Fin: last, Opcode: op, Masked: true, Length: int64(n), Key: [4]byte{1, 2, 3, byte(k.rng.Uint32())}}
		if !first {
			h.Opcode = frame.Continuation
		}
		b = frame.AppendHeader(b, h)
		at := len(b)
		b = append(b, payload[:n]...)
		frame.Mask(b[at:], h.Key, 0)
		if payload = payload[n:]; last {
			return b
		}
		if k.rng.IntN(3) == 0 {
			b = append(b, k.masked(frame.Ping, []byte("between"))...)
		}
	}
}

// errSlow is a close frame that said 1013: whoever reads slowly may get it.
var errSlow = errors.New("closed for being slow")

// next reads one message; pings are answered, pongs passed over. A close frame
// is an error, and so is anything that the server must not do.
func (k *socket) next() (op frame.Opcode, payload []byte, err error) {
	config := frame.Config{Client: true}
	for {
		for len(k.buf) > 0 {
			ev, n, err := k.parser.Next(&config, k.buf)
			if err != nil {
				return 0, nil, fmt.Errorf("the server broke the protocol: %w", err)
			}
			k.buf = k.buf[n:]
			switch ev.Opcode {
			case frame.Text, frame.Binary:
				return ev.Opcode, append([]byte(nil), ev.Payload...), nil
			case frame.Ping:
				// The deadline stays: a ping is not what anybody waits for.
				if _, err := k.nc.Write(k.masked(frame.Pong, ev.Payload)); err != nil {
					return 0, nil, err
				}
			case frame.Close:
				if ev.Code == 1013 {
					return 0, nil, errSlow
				}
				return frame.Close, nil, fmt.Errorf("closed with %d %s", ev.Code, ev.Reason)
			}
		}
		n, err := k.r.Read(k.space[:])
		if err != nil {
			return 0, nil, err
		}
		k.buf = k.space[:n]
	}
}

// goodbye closes as the protocol wants it, and waits for the server's answer and
// the end of its half; messages that were under way are given to late.
func (k *socket) goodbye(late func([]byte) error) error {
	defer k.nc.Close()
	if err := k.send(frame.Close, []byte{0x03, 0xE8}); err != nil {
		return err
	}
	for {
		op, payload, err := k.next()
		if op == frame.Close {
			break
		}
		if err != nil {
			return fmt.Errorf("no goodbye: %w", err)
		}
		if err := late(payload); err != nil {
			return err
		}
	}
	if _, err := k.r.ReadByte(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("behind the goodbye: %v", err)
	}
	return nil
}
