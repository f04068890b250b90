package main

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch/finchtest"
)

// handshake is what a proxy at 10.0.0.2 passes on.
func handshake(forwardedFor string) *http.Request {
	r := finchtest.NewRequest("ws://app.example.com/ws")
	r.RemoteAddr = "10.0.0.2:40000"
	r.Header.Set("X-Forwarded-For", forwardedFor)
	return r
}

func TestTheClientIsWhomTheTrustedProxySaw(t *testing.T) {
	tests := []struct {
		name         string
		trusted      []netip.Prefix
		forwardedFor string
		want         string
	}{
		{"a proxy that is trusted", proxies, "203.0.113.7", "203.0.113.7"},
		{"an address that the client made up", proxies, "198.51.100.1, 203.0.113.7", "203.0.113.7"},
		{"two proxies", proxies, "203.0.113.7, 10.0.0.9", "203.0.113.7"},
		{"a proxy that is not trusted", nil, "203.0.113.7", "10.0.0.2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := finchtest.ConnectRequest(t, newApp(tt.trusted), handshake(tt.forwardedFor))
				got, err := finchtest.Request[string](c, "address", struct{}{})
				if got != tt.want || err != nil {
					t.Fatalf("got %q, %v; want %q", got, err, tt.want)
				}
			})
		})
	}
}

func TestOnlyPagesOfTheNamedOriginsMayConnect(t *testing.T) {
	tests := []struct {
		origin string
		want   bool
	}{
		{"https://app.example.com", true},
		{"https://pr-7.preview.example.com", true},
		{"https://example.com", false},
		{"https://app.example.com.evil.test", false},
	}
	for _, tt := range tests {
		t.Run(tt.origin, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := handshake("203.0.113.7")
				r.Host = "internal.example.net" // another host than the page's
				r.Header.Set("Origin", tt.origin)
				app := newApp(proxies)
				if tt.want {
					finchtest.ConnectRequest(t, app, r)
					return
				}
				w := httptest.NewRecorder()
				app.ServeHTTP(w, r)
				if w.Code != http.StatusForbidden {
					t.Fatalf("got %d %s", w.Code, w.Body)
				}
			})
		})
	}
}

func TestTheBalancerLearnsOfTheEnd(t *testing.T) {
	app := newApp(proxies)
	ready := func() int {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
		return w.Code
	}
	if code := ready(); code != http.StatusOK {
		t.Fatalf("got %d before the end", code)
	}
	if err := app.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code := ready(); code != http.StatusServiceUnavailable {
		t.Fatalf("got %d after the end", code)
	}
}
