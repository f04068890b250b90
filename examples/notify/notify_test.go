package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/finchtest"
)

// serve returns a server whose sockets end with the test.
func serve(t *testing.T) http.Handler {
	server, sockets := newServer()
	t.Cleanup(func() { sockets.Shutdown(context.Background()) })
	return server
}

func connect(t *testing.T, server http.Handler, sid string) *finchtest.Client {
	t.Helper()
	r := finchtest.NewRequest("ws://app.test/ws")
	r.AddCookie(&http.Cookie{Name: "sid", Value: sid})
	return finchtest.ConnectRequest(t, server, r)
}

func post(t *testing.T, server http.Handler, address string, form url.Values) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}

func TestWhereTheCourierIsReachesAllDevicesOfItsUserAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := serve(t)
		phone, laptop := connect(t, server, "sid-of-ann"), connect(t, server, "sid-of-ann")
		other := connect(t, server, "sid-of-bob")
		post(t, server, "/orders/17/courier", url.Values{"user": {"ann"}, "place": {"تهران"}})
		for _, device := range []*finchtest.Client{phone, laptop} {
			var got Notice
			device.Expect("courier", &got)
			if got.Title != "Order 17 is in تهران" {
				t.Fatalf("got %+v", got)
			}
		}
		other.ExpectNothing()
	})
}

func TestANoticeWaitsForThePhoneInTheTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := serve(t)
		phone, laptop := connect(t, server, "sid-of-ann"), connect(t, server, "sid-of-ann")
		phone.Hello()
		phone.Skip()
		phone.Drop()
		for range 3 { // the shop's own machinery is not sure that it went through
			post(t, server, "/orders/17/paid", url.Values{"user": {"ann"}})
		}
		post(t, server, "/orders/17/courier", url.Values{"user": {"ann"}, "place": {"Qom"}})
		laptop.Expect("notice", nil)
		laptop.Expect("courier", nil)
		laptop.ExpectNothing()

		finchtest.Pass(time.Hour)
		phone.Resume()
		phone.Expect("finch.joined", nil)
		var got Notice
		if r := phone.Expect("notice", &got); got.Title != "Order 17 is paid" || r.To != "user" || r.Key != "order-17-paid" {
			t.Fatalf("got %s", r)
		}
		phone.ExpectNothing() // where the courier was an hour ago is of no use
	})
}

func TestANewDeviceReadsTheNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := serve(t)
		post(t, server, "/orders/17/paid", url.Values{"user": {"ann"}})
		device := connect(t, server, "sid-of-ann")
		device.Hello()
		device.Skip()
		r := httptest.NewRequest(http.MethodGet, "/notices", nil)
		r.AddCookie(&http.Cookie{Name: "sid", Value: "sid-of-ann"})
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); got != `[{"title":"Order 17 is paid"}]` {
			t.Fatalf("got %d %s", w.Code, got)
		}
	})
}

func TestAnAnnouncementReachesEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := serve(t)
		ann, bob := connect(t, server, "sid-of-ann"), connect(t, server, "sid-of-bob")
		post(t, server, "/announce", url.Values{"title": {"خوش آمدید"}})
		ann.Expect("notice", nil)
		bob.Expect("notice", nil)
	})
}

func TestWhoIsNotSignedInMayNotConnect(t *testing.T) {
	w := httptest.NewRecorder()
	serve(t).ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws"))
	if w.Code != http.StatusUnauthorized {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}
