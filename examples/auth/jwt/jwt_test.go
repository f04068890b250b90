package main

import (
	"encoding/base64"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
	"github.com/golang-jwt/jwt/v5"
)

var ours = tokens{[]byte("0123456789abcdef0123456789abcdef")}

func issue(t *testing.T, by tokens, user string, life time.Duration) string {
	t.Helper()
	token, err := by.issue(user, life)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// connect connects as a browser does, that cannot set headers.
func connect(t *testing.T, sockets *finch.SocketManager, token string) *finchtest.Client {
	t.Helper()
	r := finchtest.NewRequest("ws://app.test/ws")
	r.Header.Set("Sec-WebSocket-Protocol", "finch.v1.json, finch.token."+base64.RawURLEncoding.EncodeToString([]byte(token)))
	return finchtest.ConnectRequest(t, sockets, r)
}

func TestATokenSaysWhoItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := connect(t, newSockets(ours), issue(t, ours, "sara", time.Hour))
		if user, err := finchtest.Request[string](c, "whoami", nil); user != "sara" || err != nil {
			t.Fatalf("got %q, %v", user, err)
		}
	})
}

func TestATokenThatIsNoGoodIsRefused(t *testing.T) {
	unsigned, err := jwt.NewWithClaims(jwt.SigningMethodNone, jwt.RegisteredClaims{Subject: "sara"}).SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	forEver, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{Subject: "sara"}).SignedString(ours.key)
	if err != nil {
		t.Fatal(err)
	}
	always := func(token string) func() string { return func() string { return token } }
	tests := []struct {
		name  string
		token func() string // called where it is used: synctest has its own time
	}{
		{"of another key", func() string { return issue(t, tokens{[]byte("another key")}, "sara", time.Hour) }},
		{"expired", func() string { return issue(t, ours, "sara", -time.Minute) }},
		{"of nobody", func() string { return issue(t, ours, "", time.Hour) }},
		{"without a signature", always(unsigned)},
		{"without an end", always(forEver)},
		{"no token at all", always("hello")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := connect(t, newSockets(ours), tt.token())
				if code, _ := c.ExpectClose(); code != 4401 {
					t.Fatalf("closed with %d", code)
				}
			})
			r := finchtest.NewRequest("ws://app.test/ws")
			r.Header.Set("Authorization", "Bearer "+tt.token())
			w := httptest.NewRecorder()
			newSockets(ours).ServeHTTP(w, r)
			if w.Code != 401 {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
		})
	}
}

func TestASocketEndsWithItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(ours)
		c := connect(t, sockets, issue(t, ours, "sara", time.Minute))
		time.Sleep(time.Minute - time.Second)
		synctest.Wait()
		if sockets.CountClients() != 1 {
			t.Fatal("the socket ended early")
		}
		time.Sleep(2 * time.Second)
		if code, _ := c.ExpectClose(); code != 4401 {
			t.Fatalf("closed with %d", code)
		}
	})
}

func TestANewTokenKeepsTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets(ours)
		c := connect(t, sockets, issue(t, ours, "sara", time.Minute))
		renewal := map[string]string{"token": issue(t, ours, "sara", time.Hour)}
		if _, err := finchtest.Request[any](c, "finch.auth", renewal); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		if sockets.CountClients() != 1 {
			t.Fatal("the socket ended with its first token")
		}
		stolen := map[string]string{"token": issue(t, ours, "ann", time.Hour)}
		if _, err := finchtest.Request[any](c, "finch.auth", stolen); finch.StatusOf(err) != 403 {
			t.Fatalf("another user's token: got %v", err)
		}
	})
}
