package finch_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestWhichOriginsMayConnect(t *testing.T) {
	list := []string{"https://app.example.com", "*.example.org"}
	rows := []struct {
		host, origin string
		allowed      []string
		may          bool
	}{
		{"app.test", "", nil, true}, // not a browser
		{"app.test", "http://app.test", nil, true},
		{"app.test", "https://APP.test", nil, true},
		{"app.test:8080", "http://app.test:8080", nil, true},
		{"app.test:8080", "http://app.test", nil, false}, // another port is another origin
		{"app.test", "http://evil.test", nil, false},
		{"app.test", "http://app.test.evil.test", nil, false},
		{"app.test", "null", nil, false}, // a sandboxed page
		{"app.test", "file://", nil, false},
		{"app.test", "http://localhost:3000", nil, false},
		{"localhost:3000", "http://localhost:5173", nil, true},
		{"127.0.0.1:3000", "http://localhost:5173", nil, true},
		{"[::1]:3000", "http://127.0.0.1", nil, true},
		{"dev.localhost:3000", "http://localhost", nil, true},
		{"localhost:3000", "http://evil.test", nil, false},
		{"localhost:3000", "http://localhost.evil.test", nil, false},
		{"api.test", "https://app.example.com", list, true},
		{"api.test", "https://APP.example.com", list, true},
		{"api.test", "http://app.example.com", list, false},
		{"api.test", "https://app.example.com:8443", list, false},
		{"api.test", "https://a.example.org", list, true},
		{"api.test", "http://a.example.org", list, true},
		{"api.test", "https://example.org", list, false},
		{"api.test", "https://aexample.org", list, false},
		{"api.test", "https://evil.test", []string{"*"}, true},
		{"api.test", "null", []string{"*"}, true},
		{"api.test", "https://evil.test", []string{}, false},
		{"api.test", "https://evil.test", []string{""}, false},
		{"api.test", "https://evil.test", []string{"[broken"}, false},
	}
	for _, row := range rows {
		t.Run(row.origin+" to "+row.host, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, _ := newLogbook()
				m := finch.NewSocketManager(&finch.SocketManagerOptions{AllowedOrigins: row.allowed, Logger: logger})
				change := func(r *http.Request) {
					r.Host = row.host
					if row.origin != "" {
						r.Header.Set("Origin", row.origin)
					}
				}
				if !row.may {
					if w := refused(t, m, change); w.Code != 403 {
						t.Errorf("answered %d", w.Code)
					}
					return
				}
				r := finchtest.NewRequest("ws://app.test/ws")
				change(r)
				finchtest.ConnectRequest(t, m, r)
			})
		})
	}
}

func TestARefusedOriginIsLoggedWithTheLineThatAllowsIt(t *testing.T) {
	logger, book := newLogbook()
	change := func(r *http.Request) { r.Header.Set("Origin", "https://shop.example.net") }
	refused(t, finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger}), change)
	want := []string{"https://shop.example.net", "host=app.test", `AllowedOrigins: []string{\"https://shop.example.net\"}`}
	book.wants(t, want...)

	logger, book = newLogbook()
	app := finch.NewApp(&finch.AppOptions{Logger: logger, Routes: []finch.Route{{Path: "/ws", WS: func(*finch.RawSocket) {}}}})
	if w := refused(t, app, change); w.Code != 403 {
		t.Errorf("a raw route answered %d", w.Code)
	}
	book.wants(t, want...)
}

func TestTheLineFromTheLogAllowsTheOrigin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Header.Set("Origin", "https://shop.example.net")
		finchtest.ConnectRequest(t, finch.NewSocketManager(&finch.SocketManagerOptions{AllowedOrigins: []string{"https://shop.example.net"}}), r)
	})
}

func TestAForeignOriginIsRefusedBeforeAnybodyIsAsked(t *testing.T) {
	logger, _ := newLogbook()
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger, Authenticate: func(*http.Request) (finch.Identity, error) {
		t.Error("Authenticate was asked")
		return finch.Identity{}, nil
	}})
	refused(t, m, func(r *http.Request) { r.Header.Set("Origin", "https://evil.test") })
}
