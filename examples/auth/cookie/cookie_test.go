package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/finchtest"
)

func post(server http.Handler, address string, form url.Values, cookies ...*http.Cookie) *http.Response {
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	return w.Result()
}

func signIn(t *testing.T, server http.Handler, user string) *http.Cookie {
	t.Helper()
	cookies := post(server, "/login", url.Values{"user": {user}, "password": {"finch"}}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("got %v", cookies)
	}
	return cookies[0]
}

func handshake(cookie *http.Cookie) *http.Request {
	r := finchtest.NewRequest("ws://app.test/ws")
	if cookie != nil {
		r.AddCookie(cookie)
	}
	return r
}

func TestACookieSaysWhoItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer()
		c := finchtest.ConnectRequest(t, server, handshake(signIn(t, server, "sara")))
		if user, err := finchtest.Request[string](c, "whoami", nil); user != "sara" || err != nil {
			t.Fatalf("got %q, %v", user, err)
		}
	})
}

func TestSigningOutClosesTheSocketsOfThatSessionAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer()
		phone, laptop := signIn(t, server, "sara"), signIn(t, server, "sara")
		left := finchtest.ConnectRequest(t, server, handshake(phone))
		stays := finchtest.ConnectRequest(t, server, handshake(laptop))
		post(server, "/logout", nil, phone)
		if code, _ := left.ExpectClose(); code != 4401 {
			t.Fatalf("closed with %d", code)
		}
		if user, err := finchtest.Request[string](stays, "whoami", nil); user != "sara" || err != nil {
			t.Fatalf("got %q, %v", user, err)
		}
	})
}

func TestASocketEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer()
		c := finchtest.ConnectRequest(t, server, handshake(signIn(t, server, "sara")))
		time.Sleep(12*time.Hour + time.Second)
		if code, _ := c.ExpectClose(); code != 4401 {
			t.Fatalf("closed with %d", code)
		}
	})
}

func TestWhoMayNotConnect(t *testing.T) {
	server := newServer()
	good := signIn(t, server, "sara")
	foreign := handshake(good)
	foreign.Header.Set("Origin", "https://evil.test")
	tests := []struct {
		name string
		r    *http.Request
		want int
	}{
		{"no cookie", handshake(nil), 401},
		{"a cookie of nobody", handshake(&http.Cookie{Name: "sid", Value: "guess"}), 401},
		{"a foreign page with a good cookie", foreign, 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			server.ServeHTTP(w, tt.r)
			if w.Code != tt.want {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
		})
	}
}
