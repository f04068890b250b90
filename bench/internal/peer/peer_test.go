package peer_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/finch-go/finch/bench/internal/peer"
)

// client is a socket at a peer's address.
func client(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func say(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(text)); err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, c *websocket.Conn, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	for {
		_, b, err := c.Read(ctx)
		if err != nil {
			t.Fatalf("waiting for %q: %v", text, err)
		}
		if strings.Contains(string(b), text) {
			return
		}
	}
}

func TestEveryPeerSendsBackAndHandsOn(t *testing.T) {
	for _, name := range peer.Names() {
		t.Run(name, func(t *testing.T) {
			if name == "raw" && runtime.GOOS != "linux" {
				t.Skip("the raw loop is Linux")
			}
			mux := http.NewServeMux()
			if err := peer.Mount(name, mux); err != nil {
				t.Fatal(err)
			}
			s := httptest.NewServer(mux)
			defer s.Close()
			url := "ws" + strings.TrimPrefix(s.URL, "http")
			hello, echo, all := "", "an echo", "for all"
			if name == "centrifuge" {
				hello = `{"id":1,"connect":{}}`
				echo = `{"id":2,"rpc":{"method":"echo","data":"an echo"}}`
				all = `{"send":{"data":"for all"}}`
			}
			enter := func(path string) *websocket.Conn {
				c := client(t, url+path)
				if hello != "" {
					say(t, c, hello)
					hears(t, c, "connect")
				}
				return c
			}
			one := enter("/echo")
			say(t, one, echo)
			hears(t, one, "an echo")

			members := []*websocket.Conn{enter("/all"), enter("/all"), enter("/all")}
			// A hub may still be letting them in; the last to come has answered itself
			// before the first is asked.
			for _, m := range members {
				say(t, m, all)
				hears(t, m, "for all")
			}
			say(t, members[0], strings.Replace(all, "for all", "the last", 1))
			for _, m := range members {
				hears(t, m, "the last")
			}
		})
	}
}

func TestVersionsOfThePeersAreKnown(t *testing.T) {
	if v := peer.Version("raw"); v != "" {
		t.Errorf("the raw loop has version %q", v)
	}
	if err := peer.Serve("nobody", "127.0.0.1:0", false, nil); err == nil || !strings.Contains(err.Error(), "gorilla") {
		t.Errorf("an unknown peer: %v", err)
	}
}
