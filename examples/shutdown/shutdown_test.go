package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// noListener is a listener to which nobody ever connects.
type noListener struct{ closed chan struct{} }

func (l noListener) Accept() (net.Conn, error) { <-l.closed; return nil, net.ErrClosed }
func (l noListener) Addr() net.Addr            { return &net.TCPAddr{} }
func (l noListener) Close() error              { close(l.closed); return nil }

func TestARunningHandlerAnswersBeforeTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serve(ctx, noListener{make(chan struct{})}, sockets) }()

		c := finchtest.Connect(t, sockets, finch.Identity{})
		time.AfterFunc(time.Second, stop) // while the handler works
		got, err := finchtest.Request[string](c, "report", "October")
		if got != "October is ready" || err != nil {
			t.Fatalf("got %q, %v", got, err)
		}
		if code, _ := c.ExpectClose(); code != 1012 {
			t.Fatalf("closed with %d", code)
		}
		if err := <-served; err != nil {
			t.Fatal(err)
		}
	})
}

func TestClientsAreSentAwayOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		clients := make([]*finchtest.Client, 10)
		for i := range clients {
			clients[i] = finchtest.Connect(t, sockets, finch.Identity{})
			clients[i].Hello()
		}
		ctx, stop := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- serve(ctx, noListener{make(chan struct{})}, sockets) }()
		stop()
		turns := map[int64]bool{}
		for _, c := range clients {
			var told struct{ Delay int64 }
			c.Expect("finch.drain", &told) // all are told at once
			turns[told.Delay] = true
		}
		if len(turns) != 10 || !turns[0] || !turns[9000] {
			t.Errorf("the turns are %v", turns)
		}
		if err := <-served; err != nil {
			t.Fatal(err)
		}
		for _, c := range clients {
			if code, _ := c.ExpectClose(); code != 1012 {
				t.Errorf("closed with %d", code)
			}
		}
	})
}

func TestWhoComesLateIsSentAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		if err := sockets.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		sockets.ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws"))
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Fatalf("got %d", w.Code)
		}
	})
}
