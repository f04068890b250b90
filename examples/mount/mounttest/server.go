// Package mounttest drives the programs of examples/mount as a browser would:
// over a real connection.
package mounttest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// Dial connects to path of h as user, on a port of loopback. The answer of a
// handshake that failed is returned with a nil connection. Both ends are
// closed when the test ends.
func Dial(t *testing.T, h http.Handler, path, user string) (*websocket.Conn, *http.Response) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	header := http.Header{}
	if user != "" {
		header.Set("X-User", user)
	}
	c, resp, err := websocket.Dial(patience(t), "ws"+server.URL[len("http"):]+path, &websocket.DialOptions{HTTPHeader: header})
	if err != nil && resp == nil {
		t.Fatal(err)
	}
	if c != nil {
		t.Cleanup(func() { c.CloseNow() })
	}
	return c, resp
}

// Ask sends an event with an id and returns the data of its answer, which is
// a string.
func Ask(t *testing.T, c *websocket.Conn, path string) string {
	t.Helper()
	ctx := patience(t)
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"path":"`+path+`","id":1}`)); err != nil {
		t.Fatal(err)
	}
	_, b, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Reply int
		Data  string
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Reply != 1 {
		t.Fatalf("got %s: %v", b, err)
	}
	return answer.Data
}

func patience(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// RoundTrip connects to /ws, where anybody may, and to /rooms/{name} as ann,
// whom the router's middleware knows, and expects that a stranger is refused
// there before the upgrade.
func RoundTrip(t *testing.T, h http.Handler) {
	t.Helper()
	t.Run("the manager mounted as a handler", func(t *testing.T) {
		c, _ := Dial(t, h, "/ws", "")
		if c == nil {
			t.Fatal("the handshake was refused")
		}
		if got := Ask(t, c, "whoami"); got != "nobody in no room" {
			t.Fatalf("got %q", got)
		}
	})
	t.Run("the identity of the middleware", func(t *testing.T) {
		c, _ := Dial(t, h, "/rooms/7", "ann")
		if c == nil {
			t.Fatal("the handshake was refused")
		}
		if got := Ask(t, c, "whoami"); got != "ann in room 7" {
			t.Fatalf("got %q", got)
		}
	})
	t.Run("a stranger", func(t *testing.T) {
		if c, resp := Dial(t, h, "/rooms/7", ""); c != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("got %v", resp.Status)
		}
	})
	t.Run("an ordinary request", func(t *testing.T) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ws", nil))
		if w.Code != http.StatusUpgradeRequired {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	})
}
