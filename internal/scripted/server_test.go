package scripted_test

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/internal/scripted"
)

// knock sends a handshake and returns where the answer is to be read.
func knock(t *testing.T, s *scripted.Server, path string) (write func(frame.Opcode, string), in *bufio.Reader) {
	t.Helper()
	nc, err := s.Dial(context.Background(), "tcp", "anywhere")
	if err != nil {
		t.Fatal(err)
	}
	go nc.Write([]byte("GET " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer secret\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"))
	return func(op frame.Opcode, text string) {
		nc.Write(frame.AppendMasked(nil, op, []byte(text), [4]byte{1, 2, 3, 4}))
	}, bufio.NewReader(nc)
}

func answer(t *testing.T, in *bufio.Reader) *http.Response {
	t.Helper()
	r, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTheServerDoesWhatItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted.New()
		defer s.Close()
		if _, in := knock(t, s, "/nowhere"); answer(t, in).StatusCode != http.StatusNotFound {
			t.Error("a path without a door was answered otherwise than 404")
		}
		door := s.Door("/ws")
		_, in := knock(t, s, "/ws")
		h, err := door.Knock(context.Background())
		if err != nil || h.Token() != "secret" {
			t.Fatalf("%v, the token is %q", err, h.Token())
		}
		go h.Refuse(503)
		if got := answer(t, in).StatusCode; got != 503 {
			t.Errorf("a refusal came as %d", got)
		}

		write, in := knock(t, s, "/ws")
		accepted := make(chan *scripted.Conn)
		go func() {
			c, _ := door.Accept(context.Background())
			accepted <- c
		}()
		if got := answer(t, in).Header.Get("Sec-WebSocket-Accept"); got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" { // RFC 6455 section 1.3
			t.Errorf("the key was answered with %q", got)
		}
		c := <-accepted
		go write(frame.Text, `{"path":"x","id":1}`)
		m, err := c.Next(context.Background())
		if err != nil || m.Path != "x" {
			t.Fatalf("got %v, %v", m, err)
		}
		go c.Answer(m, "7")
		read := make([]byte, 100)
		n, _ := in.Read(read)
		if !strings.Contains(string(read[:n]), `"reply":1,"data":7`) {
			t.Errorf("the answer came as %q", read[:n])
		}
		go write(frame.Ping, "p")
		if n, _ = in.Read(read); string(read[:n]) != "\x8a\x01p" {
			t.Errorf("a ping was answered with %q", read[:n])
		}
		go write(frame.Close, "\x03\xe8bye")
		in.Read(read) // the close frame
		_, err = c.Next(context.Background())
		var end *scripted.CloseError
		if !errors.As(err, &end) || end.Code != 1000 || end.Reason != "bye" {
			t.Errorf("the close came as %v", err)
		}
	})
}

func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := scripted.New()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, err := s.Door("/ws").Knock(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with the context: %v", err)
		}
		s.Close()
		if _, err := s.Door("/ws").Accept(context.Background()); !errors.Is(err, scripted.ErrClosed) {
			t.Errorf("with the server: %v", err)
		}
	})
}
