package client_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/client"
)

// TestAFinchServerAndTheClientUnderstandEachOther is the one test over real
// sockets, with TLS and a server that was not written for it.
func TestAFinchServerAndTheClientUnderstandEachOther(t *testing.T) {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		Logger: quiet,
		Authenticate: func(r *http.Request) (finch.Identity, error) {
			if token := finch.Token(r); strings.HasPrefix(token, "good") {
				return finch.Identity{User: token}, nil
			}
			return finch.Identity{}, finch.Errorf(401, "unauthorized", "no")
		},
	})
	finch.OnRequest(m, "double", func(ctx context.Context, s *finch.Socket, n int) (int, error) { return 2 * n, nil })
	finch.On(m, "bytes", func(ctx context.Context, s *finch.Socket, b []byte) error { return s.Send("bytes", append(b, 9)) })
	finch.On(m, "ask me", func(ctx context.Context, s *finch.Socket, n int) error {
		go func() {
			answer, err := finch.Ask[int, string](ctx, s, "who", n)
			s.Send("answered", []any{answer, err == nil})
		}()
		return nil
	})
	finch.On(m, "end", func(ctx context.Context, s *finch.Socket, code int) error { return s.Close(code, "as you wish") })
	server := httptest.NewTLSServer(m)
	defer server.Close()

	tokens := []string{"old", "good 1", "good 2"}
	c, err := client.New("wss"+strings.TrimPrefix(server.URL, "https")+"/ws", &client.Options{
		TLS: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}, Logger: quiet,
		RetryFirst: 10 * time.Millisecond,
		Token: func(context.Context) (string, error) {
			next := tokens[0]
			tokens = tokens[1:]
			return next, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got := make(chan any, 10)
	client.On(c, "bytes", func(ctx context.Context, b []byte) error { got <- b; return nil })
	client.On(c, "answered", func(ctx context.Context, a []any) error { got <- a; return nil })
	client.OnRequest(c, "who", func(ctx context.Context, n int) (string, error) { return strings.Repeat("ann", n), nil })
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	for i := range 2 { // and again after the connection was lost
		if n, err := client.Request[int, int](ctx, c, "double", 21); n != 42 || err != nil {
			t.Errorf("the double of 21 is %d, %v", n, err)
		}
		_, err := client.Request[int, int](ctx, c, "nowhere", 1)
		var e *client.Error
		if !errors.As(err, &e) || e.Status != 404 || e.Code != "unknown_path" {
			t.Errorf("an unknown path was answered with %v", err)
		}
		if err := c.Send("bytes", []byte{1, 2}); err != nil {
			t.Error(err)
		}
		if b, ok := (<-got).([]byte); !ok || !bytes.Equal(b, []byte{1, 2, 9}) {
			t.Errorf("the bytes came back as %v", b)
		}
		if err := c.Send("ask me", 2); err != nil {
			t.Error(err)
		}
		if a, ok := (<-got).([]any); !ok || a[0] != "annann" || a[1] != true {
			t.Errorf("the server was answered %v", a)
		}
		if err := c.Authenticate(ctx, "bad"); !errors.As(err, &e) || e.Status != 401 {
			t.Errorf("a bad token was answered with %v", err)
		}
		if i == 0 {
			if err := c.Send("end", 4401); err != nil {
				t.Error(err)
			}
			for c.State().Phase == client.Open && ctx.Err() == nil {
				client.Request[int, int](ctx, c, "double", 1) // until the close is here
			}
			if err := c.Connect(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := c.Send("end", 1000); err != nil {
		t.Error(err)
	}
	for c.State().Phase != client.Closed && ctx.Err() == nil {
		client.Request[int, int](ctx, c, "double", 1)
	}
	_, err = client.Request[int, int](ctx, c, "double", 1)
	var closed *client.ClosedError
	if !errors.As(err, &closed) || closed.Code != 1000 || closed.Reason != "as you wish" {
		t.Errorf("the end is %v", err)
	}
}
