package demo_test

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

// inDemo runs a test against a demo of its own, where time stands still
// unless everybody waits.
func inDemo(t *testing.T, f func(t *testing.T, app http.Handler)) {
	synctest.Test(t, func(t *testing.T) {
		app := demo.New(nil)
		t.Cleanup(func() { app.Shutdown(t.Context()) })
		f(t, app)
	})
}

// connect connects as the page does, with ?user= if user is not empty, and
// forgets what everybody is told at first.
func connect(t *testing.T, app http.Handler, user string) (c *finchtest.Client, id string) {
	t.Helper()
	address := "ws://localhost:3000/ws"
	if user != "" {
		address += "?user=" + url.QueryEscape(user)
	}
	c = finchtest.ConnectRequest(t, app, finchtest.NewRequest(address))
	var connected demo.Connected
	c.Expect("connected", &connected)
	return c, connected.Client
}

func rawEcho(t *testing.T, app http.Handler) *finchtest.Client {
	t.Helper()
	return finchtest.ConnectRequest(t, app, finchtest.NewRequest("ws://localhost:3000/echo"))
}
