package actor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

const (
	dialPatience  = 2 * time.Second
	writePatience = 3 * time.Second
)

// A closure is how a connection ended: a close frame, or an error.
type closure struct {
	code int // 1006 without a close frame
	err  error
}

// socket is a client's end of a connection. Its reader is a goroutine that ends
// with it; everything else is for the actor alone.
type socket struct {
	nc   net.Conn
	node int
	rng  *rand.Rand
	in   chan protocol.Envelope // closed at the end
	end  closure                // set before in is closed
	stop chan struct{}          // closed when nobody reads in any more
	pong chan []byte            // of pings to be answered
}

// dial connects, shakes hands, and begins to read.
func dial(address string, node int, token string, rng *rand.Rand) (*socket, error) {
	nc, err := net.DialTimeout("tcp", address, dialPatience)
	if err != nil {
		return nil, err
	}
	nc.SetDeadline(time.Now().Add(dialPatience))
	head := "GET /ws HTTP/1.1\r\nHost: " + address + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if token != "" {
		head += "Authorization: Bearer " + token + "\r\n"
	}
	r := bufio.NewReader(nc)
	if _, err = io.WriteString(nc, head+"\r\n"); err == nil {
		var answer *http.Response
		if answer, err = http.ReadResponse(r, nil); err == nil && answer.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("the handshake was answered %s", answer.Status)
		}
	}
	if err != nil {
		nc.Close()
		return nil, err
	}
	nc.SetDeadline(time.Time{})
	s := &socket{nc: nc, node: node, rng: rng, in: make(chan protocol.Envelope, 64), stop: make(chan struct{}), pong: make(chan []byte, 4)}
	go s.read(r)
	return s, nil
}

// read parses what comes until the connection ends.
func (s *socket) read(r io.Reader) {
	defer close(s.in)
	s.end.code = protocol.CloseAbnormal
	var parser frame.Parser
	config := frame.Config{Client: true}
	space := make([]byte, 8<<10)
	var held []byte
	for {
		n, err := r.Read(space)
		held = append(held, space[:n]...)
		for len(held) > 0 {
			ev, used, err := parser.Next(&config, held)
			if err != nil {
				s.end.err = fmt.Errorf("the server broke the protocol: %w", err)
				return
			}
			if used == 0 {
				break
			}
			if !s.take(ev) {
				return
			}
			held = held[used:]
		}
		held = append(held[:0:0], held...)
		if err != nil {
			s.end.err = err
			return
		}
	}
}

// take hands on one frame; false ends the reading.
func (s *socket) take(ev frame.Event) bool {
	switch ev.Opcode {
	case frame.Ping:
		select {
		case s.pong <- append([]byte(nil), ev.Payload...):
		default:
		}
	case frame.Close:
		s.end.code, _, _ = frame.ParseClose(ev.Payload)
		return false
	case frame.Text:
		e, err := protocol.Parse(append([]byte(nil), ev.Payload...), protocol.ParseOptions{})
		if err != nil {
			s.end.err = fmt.Errorf("what the server said is no envelope: %w: %s", err, ev.Payload)
			return false
		}
		select {
		case s.in <- e:
		case <-s.stop:
			return false
		}
	case frame.Binary:
		s.end.err = errors.New("nobody sends binary messages here")
		return false
	}
	return true
}

func (s *socket) write(op frame.Opcode, payload []byte) error {
	var key [4]byte
	for i := range key {
		key[i] = byte(s.rng.Uint32())
	}
	s.nc.SetWriteDeadline(time.Now().Add(writePatience))
	_, err := s.nc.Write(frame.AppendMasked(nil, op, payload, key))
	return err
}

func (s *socket) say(e *protocol.Envelope) error {
	return s.write(frame.Text, protocol.Append(nil, e))
}

// drop ends it without a word.
func (s *socket) drop() {
	close(s.stop)
	s.nc.Close()
}

// goodbye ends it for good.
func (s *socket) goodbye() {
	s.write(frame.Close, frame.AppendClosePayload(nil, protocol.CloseNormal, ""))
	s.drop()
}
