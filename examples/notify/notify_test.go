package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch/finchtest"
)

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

func TestANoticeReachesAllDevicesOfItsUserAndNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer()
		phone, laptop := connect(t, server, "sid-of-ann"), connect(t, server, "sid-of-ann")
		other := connect(t, server, "sid-of-bob")
		post(t, server, "/orders/17/paid", url.Values{"user": {"ann"}})
		for _, device := range []*finchtest.Client{phone, laptop} {
			var got Notice
			device.Expect("notice", &got)
			if got.Title != "Order 17 is paid" {
				t.Fatalf("got %+v", got)
			}
		}
		other.ExpectNothing()
	})
}

func TestAnAnnouncementReachesEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := newServer()
		ann, bob := connect(t, server, "sid-of-ann"), connect(t, server, "sid-of-bob")
		post(t, server, "/announce", url.Values{"title": {"خوش آمدید"}})
		ann.Expect("notice", nil)
		bob.Expect("notice", nil)
	})
}

func TestWhoIsNotSignedInMayNotConnect(t *testing.T) {
	w := httptest.NewRecorder()
	newServer().ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws"))
	if w.Code != http.StatusUnauthorized {
		t.Fatalf("got %d %s", w.Code, w.Body)
	}
}
