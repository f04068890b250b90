package wire

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// patience is how long a server may take to shake hands.
const patience = 30 * time.Second

// maxMessage bounds what is read: a client that comes back may get much at once.
const maxMessage = 16 << 20

// A socket is the client's end of a WebSocket. One goroutine reads and one writes.
type socket struct {
	conn   net.Conn
	parser frame.Parser
	buf    []byte // not parsed yet
	space  []byte
}

var clientFrames = frame.Config{Client: true, MaxMessage: maxMessage}

// dial connects and shakes hands.
func dial(ctx context.Context, addr string) (*socket, error) {
	d := net.Dialer{Timeout: patience}
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &socket{conn: conn, space: make([]byte, 4<<10)}
	if err := s.shakeHands(addr); err != nil {
		conn.Close()
		return nil, fmt.Errorf("no handshake with %s: %w", addr, err)
	}
	return s, nil
}

func (s *socket) shakeHands(addr string) error {
	s.conn.SetDeadline(time.Now().Add(patience))
	_, err := io.WriteString(s.conn, "GET /ws HTTP/1.1\r\nHost: "+addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	if err != nil {
		return err
	}
	r := bufio.NewReader(s.conn)
	answer, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("it was answered %s", answer.Status)
	}
	early, _ := r.Peek(r.Buffered())
	s.buf = append(s.buf, early...)
	return s.conn.SetDeadline(time.Time{})
}

// write sends one text message.
func (s *socket) write(text []byte) error {
	var key [4]byte
	for i := range key {
		key[i] = byte(rand.Uint32())
	}
	_, err := s.conn.Write(frame.AppendMasked(nil, frame.Text, text, key))
	return err
}

// read gives the next message, which is good until the next call. Pings of
// RFC 6455 are answered.
func (s *socket) read() ([]byte, error) {
	for {
		for len(s.buf) > 0 {
			ev, n, err := s.parser.Next(&clientFrames, s.buf)
			if err != nil {
				return nil, err
			}
			s.buf = s.buf[n:]
			switch ev.Opcode {
			case frame.Text, frame.Binary:
				return ev.Payload, nil
			case frame.Ping:
				if _, err := s.conn.Write(frame.AppendMasked(nil, frame.Pong, ev.Payload, [4]byte{1, 2, 3, 4})); err != nil {
					return nil, err
				}
			case frame.Close:
				return nil, fmt.Errorf("closed with %d %s", ev.Code, ev.Reason)
			}
		}
		n, err := s.conn.Read(s.space)
		if err != nil {
			return nil, err
		}
		s.buf = s.space[:n]
	}
}
