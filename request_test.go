package finch_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

func TestWhatDecodeJSONTakes(t *testing.T) {
	type in struct{ Name string }
	app := finch.NewApp(&finch.AppOptions{BodyBytes: 30, Routes: []finch.Route{{Path: "/", Methods: []string{"POST"}, Index: func(rq *finch.Request) error {
		var v in
		if err := rq.DecodeJSON(&v); err != nil {
			return err
		}
		return rq.RenderJSON(v)
	}}}})
	rows := []struct {
		body   io.Reader
		status int
		says   string
	}{
		{strings.NewReader(`{"Name":"سارا"}`), 200, `{"Name":"سارا"}`},
		{strings.NewReader(`{"Name":"<b>"}`), 200, `{"Name":"<b>"}`},
		{strings.NewReader(``), 400, `"bad_json"`},
		{strings.NewReader("  \n"), 400, `the body is empty`},
		{strings.NewReader(`{"Name":}`), 400, `not JSON, at byte 9`},
		{strings.NewReader(`{} {}`), 400, `"bad_json"`},
		{strings.NewReader(`{"Name":7}`), 400, `Name cannot be a JSON number`},
		{strings.NewReader(`[]`), 400, `the body cannot be a JSON array`},
		{strings.NewReader(`{"Name":"` + strings.Repeat("x", 40) + `"}`), 413, `"too_large"`},
		{io.MultiReader(strings.NewReader(`{"Na`), brokenReader{}), 400, `"bad_body"`},
	}
	for _, row := range rows {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("POST", "/", row.body))
		if w.Code != row.status || !strings.Contains(w.Body.String(), row.says) || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("answered %d %s, want %d %s", w.Code, w.Body, row.status, row.says)
		}
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }

func TestWhatAnIndexReturnsIsAnswered(t *testing.T) {
	logger, book := newLogbook()
	m := finch.NewSocketManager(nil)
	index := map[string]func(rq *finch.Request) error{
		"/text": func(rq *finch.Request) error { return rq.RenderString("سلام") },
		"/json": func(rq *finch.Request) error { return rq.RenderJSON(map[string]int{"n": 1}) },
		"/own": func(rq *finch.Request) error {
			rq.Writer.Header().Set("Content-Type", "text/csv")
			return rq.RenderString("a,b")
		},
		"/meant":       func(rq *finch.Request) error { return finch.Errorf(409, "taken", "choose another") },
		"/ours":        func(rq *finch.Request) error { return errors.New("a secret of ours") },
		"/panic":       func(rq *finch.Request) error { panic("kaboom") },
		"/json-broken": func(rq *finch.Request) error { return rq.RenderJSON(make(chan int)) },
		"/late":        func(rq *finch.Request) error { rq.RenderString("done"); return errors.New("too late") },
		"/socket": func(rq *finch.Request) error {
			if err := m.RequestHandle(rq); err != nil {
				return err
			}
			return rq.RenderSocket()
		},
		"/no-socket": func(rq *finch.Request) error { return rq.RenderSocket() },
	}
	app := finch.NewApp(&finch.AppOptions{Logger: logger})
	for path, f := range index {
		app.AddRoute(finch.Route{Path: path, Index: f})
	}
	rows := []struct {
		path   string
		status int
		kind   string
		says   string
	}{
		{"/text", 200, "text/plain; charset=utf-8", "سلام"},
		{"/json", 200, "application/json", `{"n":1}`},
		{"/own", 200, "text/csv", "a,b"},
		{"/meant", 409, "application/json", `{"error":{"code":"taken","message":"choose another"}}`},
		{"/ours", 500, "application/json", `"internal"`},
		{"/panic", 500, "application/json", `"internal"`},
		{"/json-broken", 500, "application/json", `"internal"`},
		{"/late", 200, "text/plain; charset=utf-8", "done"},
		{"/socket", 426, "text/plain; charset=utf-8", "This address speaks WebSocket: connect to it with new WebSocket(\"ws://example.com/socket\").\n"},
		{"/no-socket", 426, "text/plain; charset=utf-8", "This address speaks WebSocket: connect to it with new WebSocket(\"ws://example.com/no-socket\").\n"},
	}
	for _, row := range rows {
		w := get(app, row.path)
		body := w.Body.String()
		if w.Code != row.status || w.Header().Get("Content-Type") != row.kind || !strings.Contains(body, row.says) {
			t.Errorf("%s answered %d %s %s", row.path, w.Code, w.Header().Get("Content-Type"), body)
		}
		if row.status == 426 && body != row.says {
			t.Errorf("%s says more than one sentence: %s", row.path, body)
		}
		if strings.Contains(body, "secret") || strings.Contains(body, "kaboom") {
			t.Errorf("%s tells what is ours: %s", row.path, body)
		}
	}
	book.wants(t, "a secret of ours", "kaboom", "request_test.go", "too late")
	book.lacks(t, "choose another")
	if n := app.Stats().Panics; n != 1 {
		t.Errorf("%d panics were counted", n)
	}
}

func TestAHandlerMayHangUpAsNetHTTPDoes(t *testing.T) {
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{{Path: "/", Index: func(*finch.Request) error { panic(http.ErrAbortHandler) }}}})
	wantPanic(t, func() { get(app, "/") }, "abort")
	if app.Stats().Panics != 0 {
		t.Error("it was counted")
	}
}
