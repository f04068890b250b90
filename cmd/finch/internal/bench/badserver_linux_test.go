package bench_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// A badServer speaks WebSocket and does with messages what it should not.
type badServer struct {
	url    string
	answer answer // nil: hands on to everyone
	faults atomic.Int64
	skip   bool          // leave one out now and then, when handing on
	late   time.Duration // how long after the handshake a member is let in
	opens  bool          // speaks the opening of Socket.IO first
	stall  time.Duration // once, before the first answer
	once   sync.Once

	mu      sync.Mutex // guards members and their order
	members []net.Conn
	count   int
}

// An answer returns what the server sends for a message, the n-th of its socket,
// and how many faults that is; -1 is to close the socket. What it holds back is
// *held.
type answer func(n int, payload []byte, held *[]byte) (out [][]byte, faults int)

func honest(_ int, p []byte, _ *[]byte) ([][]byte, int) { return [][]byte{p}, 0 }

func loses(n int, p []byte, _ *[]byte) ([][]byte, int) {
	if n%10 == 3 {
		return nil, 1
	}
	return [][]byte{p}, 0
}

func doubles(n int, p []byte, _ *[]byte) ([][]byte, int) {
	if n%10 == 3 {
		return [][]byte{p, p}, 1
	}
	return [][]byte{p}, 0
}

func reorders(n int, p []byte, held *[]byte) ([][]byte, int) {
	if n%10 == 3 {
		*held = append([]byte(nil), p...)
		return nil, 0
	}
	if *held != nil {
		late := *held
		*held = nil
		return [][]byte{p, late}, 1
	}
	return [][]byte{p}, 0
}

func corrupts(n int, p []byte, _ *[]byte) ([][]byte, int) {
	if n%10 == 3 {
		p = append([]byte(nil), p...)
		p[len(p)-1] = '?'
		return [][]byte{p}, 1
	}
	return [][]byte{p}, 0
}

func chatters(n int, p []byte, _ *[]byte) ([][]byte, int) {
	if n%10 == 3 {
		return [][]byte{[]byte("by the way"), p}, 1
	}
	return [][]byte{p}, 0
}

var errDrop = errors.New("drop")

// drops closes the socket at the sixth message.
func drops(n int, p []byte, _ *[]byte) ([][]byte, int) {
	if n == 5 {
		return nil, -1
	}
	return [][]byte{p}, 0
}

// newBadServer starts s and returns it.
func newBadServer(t *testing.T, s *badServer) *badServer {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.url = "ws://" + l.Addr().String() + "/"
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer nc.Close()
				if err := s.serve(nc); err != nil {
					t.Errorf("the server itself failed: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() { l.Close(); conns.Wait() })
	return s
}

// serve returns nil when the client is gone.
func (s *badServer) serve(nc net.Conn) error {
	br := bufio.NewReader(nc)
	req, err := http.ReadRequest(br)
	if err != nil {
		return err
	}
	sum := sha1.Sum([]byte(req.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(nc, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	if s.answer == nil {
		time.AfterFunc(s.late, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.members = append(s.members, nc)
		})
	}
	joined := !s.opens
	if s.opens { // an id that looks like the answer to come
		nc.Write(frame.AppendFrame(nil, frame.Text, []byte(`0{"sid":"40{40"}`)))
	}
	var parser frame.Parser
	var held []byte
	n, buf := 0, make([]byte, 64<<10)
	for {
		if held != nil { // nobody follows: it was in order after all
			nc.SetReadDeadline(time.Now().Add(30 * time.Millisecond))
		}
		size, err := br.Read(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			nc.SetReadDeadline(time.Time{})
			nc.Write(frame.AppendFrame(nil, frame.Text, held))
			held = nil
			continue
		}
		if err != nil {
			return nil
		}
		nc.SetReadDeadline(time.Time{})
		for b := buf[:size]; len(b) > 0; {
			ev, used, err := parser.Next(&frame.Config{}, b)
			if err != nil {
				return err
			}
			b = b[used:]
			switch ev.Opcode {
			case frame.Close:
				nc.Write(frame.AppendClose(nil, 1000, ""))
				return nil
			case frame.Text:
				if !joined {
					if string(ev.Payload) != "40" {
						return fmt.Errorf("%q came before the socket was ready", ev.Payload)
					}
					joined = true
					time.Sleep(10 * time.Millisecond)
					nc.Write(frame.AppendFrame(nil, frame.Text, []byte(`40{"sid":"x"}`)))
					continue
				}
				if s.reply(nc, n, ev.Payload, &held) != nil {
					return nil
				}
				n++
			}
		}
	}
}

func (s *badServer) reply(nc net.Conn, n int, payload []byte, held *[]byte) error {
	s.once.Do(func() { time.Sleep(s.stall) })
	if s.answer == nil {
		return s.handOn(payload)
	}
	out, faults := s.answer(n, payload, held)
	if faults < 0 {
		nc.Write(frame.AppendClose(nil, 1011, "no more"))
		return errDrop
	}
	s.faults.Add(int64(faults))
	for _, p := range out {
		if _, err := nc.Write(frame.AppendFrame(nil, frame.Text, p)); err != nil {
			return err
		}
	}
	return nil
}

func (s *badServer) handOn(payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, m := range s.members {
		s.count++
		if s.skip && s.count > 100 && s.count%50 == 7 && i > 0 { // not in the roll call
			s.faults.Add(1)
			continue
		}
		m.Write(frame.AppendFrame(nil, frame.Text, payload))
	}
	return nil
}
