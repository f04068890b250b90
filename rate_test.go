package finch_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestMessagesThatComeTooFastAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		handled := 0
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{MessagesPerSecond: 2}})
		finch.On(m, "tick", func(context.Context, *finch.Socket, int) error { handled++; return nil })
		c := finchtest.Connect(t, m, finch.Identity{})
		for range 11 { // two a second for five seconds, and one
			c.Send("tick", 1)
		}
		r := c.Expect("finch.error", nil)
		if r.Status != 429 || r.Error.Code != "too_fast" {
			t.Fatalf("got %s", r)
		}
		if !strings.Contains(string(r.Data), `"tick"`) {
			t.Errorf("the error does not name the path: %s", r)
		}
		c.ExpectNothing()
		if handled != 10 {
			t.Errorf("handled %d messages, want 10", handled)
		}
		if _, err := finchtest.Request[any](c, "tick", 1); finch.StatusOf(err) != 429 {
			t.Errorf("a request that came too fast was answered %v", err)
		}
	})
}

func TestAFloodIsClosedWith4429(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{BytesPerSecond: 100}})
		c := finchtest.Connect(t, m, finch.Identity{})
		for range 1100 {
			c.Send("tick", "0123456789")
		}
		if code, _ := c.ExpectClose(); code != 4429 {
			t.Fatalf("closed with %d", code)
		}
	})
}

func TestAnAddressHoldsSoManySocketsAndNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{SocketsPerAddress: 1}})
		first := finchtest.Connect(t, m, finch.Identity{})
		w := httptest.NewRecorder()
		if err := m.Upgrade(w, finchtest.NewRequest("ws://app.test/ws")); finch.StatusOf(err) != 429 {
			t.Fatalf("a second socket got %v", err)
		}
		if w.Code != 429 {
			t.Errorf("answered %d", w.Code)
		}
		proxied := finchtest.NewRequest("ws://app.test/ws")
		proxied.Header.Set("X-Forwarded-For", "198.51.100.7")
		finchtest.ConnectRequest(t, m, proxied) // nobody knows whose address that is
		first.Close(1000, "")
		synctest.Wait()
		finchtest.Connect(t, m, finch.Identity{})
	})
}

func TestHandshakesBeyondTheCapAreAskedToComeBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		m := finch.NewSocketManager(&finch.SocketManagerOptions{
			Limits: finch.Limits{Handshakes: 1},
			Authenticate: func(r *http.Request) (finch.Identity, error) {
				<-hold
				return finch.Identity{}, finch.Errorf(401, "no", "no")
			},
		})
		go m.ServeHTTP(httptest.NewRecorder(), finchtest.NewRequest("ws://app.test/ws"))
		synctest.Wait()
		w := httptest.NewRecorder()
		m.ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws"))
		if w.Code != 503 || w.Header().Get("Retry-After") == "" {
			t.Errorf("answered %d %v", w.Code, w.Header())
		}
		close(hold)
	})
}
