package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

const token = "a token of these tests"

// body is what publish.sh posts.
func body(t *testing.T) string {
	t.Helper()
	script, err := os.ReadFile("publish.sh")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(script), "-d '")
	posted, _, ok2 := strings.Cut(rest, "'")
	if !ok || !ok2 {
		t.Fatal("publish.sh posts nothing")
	}
	return posted
}

// serve returns a server whose sockets end with the test.
func serve(t *testing.T) http.Handler {
	server, sockets := newServer(token)
	t.Cleanup(func() { sockets.Shutdown(context.Background()) })
	return server
}

type result struct {
	Status    int
	Position  string
	Duplicate bool
}

func publish(t *testing.T, server http.Handler, token, body string) (int, []result) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/publish", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	server.ServeHTTP(w, r)
	var results []result
	if w.Code == http.StatusOK {
		if err := json.Unmarshal(w.Body.Bytes(), &results); err != nil {
			t.Fatal(err)
		}
	}
	return w.Code, results
}

func TestTheScriptReachesThePages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := serve(t)
		page := finchtest.Connect(t, server, finch.Identity{})
		page.Hello()
		if _, err := page.Join("news:tech"); err != nil {
			t.Fatal(err)
		}
		status, first := publish(t, server, token, body(t))
		if status != http.StatusOK || len(first) != 2 || first[0].Position == "" || first[1].Status != 200 {
			t.Fatalf("got %d %+v", status, first)
		}
		var news struct{ Title string }
		if r := page.Expect("news", &news); news.Title != "سلام" || r.Position != first[0].Position {
			t.Errorf("got %s", r)
		}
		page.Expect("notice", nil)

		page.Drop()
		if _, again := publish(t, server, token, body(t)); again[0] != (result{200, first[0].Position, true}) {
			t.Errorf("a repetition was recorded: %+v", again)
		}
		page.Resume()
		page.Expect("finch.joined", nil)
		page.ExpectNothing() // the news came once, and the notice is not kept
	})
}

func TestStrangersPublishNothing(t *testing.T) {
	if status, _ := publish(t, serve(t), "a guess of somebody", body(t)); status != http.StatusUnauthorized {
		t.Errorf("got %d", status)
	}
}
