package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// TestMain registers what main does: the guide keeps its app and its manager
// in package variables, so that it happens once for all tests.
func TestMain(m *testing.M) {
	app.AddSocketRoute(getSocketRoute())
	app.AddRoute(pageRoute(), controllerRoute())
	m.Run()
}

// shared is the app without its Shutdown: finchtest ends with a test what it
// can, and this app is for all of them.
var shared = http.HandlerFunc(app.ServeHTTP)

func TestEveryoneIsToldOfANewClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := finchtest.Connect(t, shared, finch.Identity{})
		expectGreeting(t, ann, "کاربر جدید متصل شد! تعداد: 1")
		bob := finchtest.Connect(t, shared, finch.Identity{})
		expectGreeting(t, ann, "کاربر جدید متصل شد! تعداد: 2")
		expectGreeting(t, bob, "کاربر جدید متصل شد! تعداد: 2")
		leave(ann, bob)
	})
}

func expectGreeting(t *testing.T, c *finchtest.Client, want string) {
	t.Helper()
	var got string
	c.Expect("output", &got)
	if got != want {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// leave says goodbye before the test ends: all tests share one manager, and
// the next one counts its clients.
func leave(clients ...*finchtest.Client) {
	for _, c := range clients {
		c.Close(1000, "")
	}
	synctest.Wait()
}

func TestTheRouteTestAnswersWithTheHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Header.Set("Accept-Language", "fa-IR")
		c := finchtest.ConnectRequest(t, shared, r)
		c.Skip() // the greeting
		c.Send("test", nil)
		var headers []http.Header
		c.Expect("test", &headers)
		if len(headers) != 1 || headers[0].Get("Accept-Language") != "fa-IR" {
			t.Fatalf("got %v", headers)
		}
		leave(c)
	})
}

func TestBareTextComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, shared, finch.Identity{})
		c.Skip()
		c.SendText("سلام سرور!")
		c.ExpectText("اکو: سلام سرور!")
		c.ExpectNothing()
		leave(c)
	})
}

func TestTheRawRouteEchoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		other := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{pageRoute(), rawRoute}})
		c := finchtest.Connect(t, other, finch.Identity{})
		c.SendText("سلام سرور!")
		c.ExpectText("اکو: سلام سرور!")
		c.ExpectNothing()
	})
}

func TestBothRoutesAtOnceAreAnErrorThatShowsBothPlaces(t *testing.T) {
	defer func() {
		message, _ := recover().(string)
		if strings.Count(message, "guide_test.go:") != 2 || !strings.Contains(message, "keep") {
			t.Fatalf("got %q", message)
		}
	}()
	both := finch.NewApp(nil)
	both.AddRoute(controllerRoute())
	both.AddRoute(rawRoute)
	t.Fatal("the second route was taken")
}

func TestAnOrdinaryRequestIsToldToConnect(t *testing.T) {
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/ws", nil))
	if w.Code != http.StatusUpgradeRequired || !strings.Contains(w.Body.String(), "new WebSocket") {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}

func TestThePageSendsInsideOnopen(t *testing.T) {
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	before, _, found := strings.Cut(w.Body.String(), "socket.send(")
	if w.Code != http.StatusOK || !found || !strings.Contains(before, "socket.onopen") {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}
