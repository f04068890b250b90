// Package coder_test lets coder/websocket use the demo. Run alone it needs
// -count=1: go test's cache does not see the program that it builds.
package coder_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/finch-go/finch/e2e/server"
)

// demoURL is that of FINCH_URL, or of a demo that runs for these tests alone.
var demoURL = os.Getenv("FINCH_URL")

func TestMain(m *testing.M) { os.Exit(withDemo(m)) }

func withDemo(m *testing.M) int {
	if demoURL != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "finch-coder")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	demo, err := server.Start(context.Background(), dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	demoURL = demo.URL
	code := m.Run()
	if err := demo.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// client is a connection with a deadline over all that the test does.
type client struct {
	*websocket.Conn
	t   *testing.T
	ctx context.Context
}

func dial(t *testing.T, path string, o *websocket.DialOptions) client {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	conn, _, err := websocket.Dial(ctx, strings.Replace(demoURL, "http", "ws", 1)+path, o)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetReadLimit(1 << 20)
	t.Cleanup(func() { conn.CloseNow() })
	return client{conn, t, ctx}
}

func (c client) send(text string) {
	c.t.Helper()
	if err := c.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// read reads on until a text that is accepted.
func (c client) read(accept func(text string) bool) string {
	c.t.Helper()
	for {
		_, got, err := c.Read(c.ctx)
		if err != nil {
			c.t.Fatal(err)
		}
		if accept(string(got)) {
			return string(got)
		}
	}
}

func bare(text string) bool { return !strings.HasPrefix(text, "{") }

func TestBareTextIsAnswered(t *testing.T) {
	for _, path := range []string{"/ws", "/echo"} {
		c := dial(t, path, nil)
		for _, text := range []string{"سلام سرور!", strings.Repeat("🐦", 1000), strings.Repeat("x", 60000)} {
			c.send(text)
			if got := c.read(bare); got != "اکو: "+text {
				t.Errorf("%s: got %.40q", path, got)
			}
		}
		if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
			t.Errorf("%s: close: %v", path, err)
		}
	}
}

func TestMessageWrittenInPiecesIsOneMessage(t *testing.T) {
	c := dial(t, "/echo", nil)
	w, err := c.Writer(c.ctx, websocket.MessageText)
	if err != nil {
		t.Fatal(err)
	}
	const text = "سلام سرور!"
	for i := range len(text) { // each byte a write, so that runes are split
		if _, err := w.Write([]byte{text[i]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := c.read(bare); got != "اکو: "+text {
		t.Errorf("got %q", got)
	}
}

func TestPingIsAnswered(t *testing.T) {
	c := dial(t, "/echo", nil)
	ctx := c.CloseRead(c.ctx)
	for range 3 {
		if err := c.Ping(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func TestServerClosesWith1000WhenAsked(t *testing.T) {
	c := dial(t, "/ws", nil)
	c.send(`{"path":"close"}`)
	for {
		_, _, err := c.Read(c.ctx)
		if err == nil {
			continue
		}
		if got := websocket.CloseStatus(err); got != websocket.StatusNormalClosure {
			t.Errorf("closed with %v: %v", got, err)
		}
		return
	}
}

func TestMessageOverTheLimitClosesWith1009(t *testing.T) {
	c := dial(t, "/echo", nil)
	c.Write(c.ctx, websocket.MessageText, make([]byte, 65*1024)) // may fail half way; the close frame tells
	_, _, err := c.Read(c.ctx)
	if got := websocket.CloseStatus(err); got != websocket.StatusMessageTooBig {
		t.Errorf("closed with %v: %v", got, err)
	}
}

func TestSubprotocolIsChosenAndCompressionIsNot(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, answer, err := websocket.Dial(ctx, strings.Replace(demoURL, "http", "ws", 1)+"/ws", &websocket.DialOptions{
		Subprotocols:    []string{"other", "finch.v1.json"},
		CompressionMode: websocket.CompressionContextTakeover,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	if got := conn.Subprotocol(); got != "finch.v1.json" {
		t.Errorf("subprotocol %q", got)
	}
	if got := answer.Header.Get("Sec-WebSocket-Extensions"); got != "" {
		t.Errorf("extensions %q", got)
	}
}

func TestForeignOriginIsRefused(t *testing.T) {
	_, answer, err := websocket.Dial(t.Context(), strings.Replace(demoURL, "http", "ws", 1)+"/ws", &websocket.DialOptions{
		HTTPHeader: http.Header{"Origin": {"https://evil.example"}},
	})
	if err == nil || answer == nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("answered %v, %v", answer, err)
	}
}

func TestHundredClientsAskAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for i := range 100 {
		all.Go(func() {
			if err := ask(t.Context(), i); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// ask opens a socket, sends twenty requests and reads their answers in order.
func ask(ctx context.Context, client int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, strings.Replace(demoURL, "http", "ws", 1)+"/ws", nil)
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(1 << 20)
	const requests = 20
	for id := range requests {
		text := fmt.Sprintf(`{"path":"nowhere","id":%d}`, id)
		if err := conn.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
			return fmt.Errorf("client %d: %w", client, err)
		}
	}
	for next := 0; next < requests; {
		_, got, err := conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("client %d: %w", client, err)
		}
		var answer struct {
			Reply  *int
			Status int
		}
		if err := json.Unmarshal(got, &answer); err != nil {
			return fmt.Errorf("client %d: %w in %s", client, err, got)
		}
		if answer.Reply == nil {
			continue // a message to everyone
		}
		if *answer.Reply != next || answer.Status != http.StatusNotFound {
			return fmt.Errorf("client %d: answer %s, want the one to %d", client, got, next)
		}
		next++
	}
	err = conn.Close(websocket.StatusNormalClosure, "")
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("client %d: close: %w", client, err)
	}
	return nil
}
