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

func do(app *finch.App, method, address, key, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, address, strings.NewReader(body))
	r.Header.Set("X-Key", key)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestAStoredTaskReachesEveryPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp("secret")
		page := finchtest.Connect(t, app, finch.Identity{})
		if w := do(app, http.MethodPut, "/tasks/7", "secret", `{"title":"چای"}`); w.Code != http.StatusOK {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		var got Task
		page.Expect("task", &got)
		if want := (Task{"7", "چای", "/tasks/7"}); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if w := do(app, http.MethodGet, got.URL, "", ""); !strings.Contains(w.Body.String(), "چای") {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
		if w := do(app, http.MethodGet, "/tasks", "", ""); !strings.HasPrefix(w.Body.String(), `[{"id":"7"`) {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	})
}

func TestWhatCannotBeServedIsSaid(t *testing.T) {
	tests := []struct {
		name, method, address, key, body string
		want                             int
		says                             string
	}{
		{"a task that is not there", http.MethodGet, "/tasks/8", "", "", 404, `"no_task"`},
		{"no key", http.MethodPut, "/tasks/7", "", `{}`, 401, "key"},
		{"no JSON", http.MethodPut, "/tasks/7", "secret", `چای`, 400, `"bad_json"`},
		{"another type", http.MethodPut, "/tasks/7", "secret", `{"title":7}`, 400, "title cannot be a JSON number"},
		{"another method", http.MethodDelete, "/tasks/7", "secret", "", 405, ""},
		{"an ordinary request to the sockets", http.MethodGet, "/ws", "", "", 426, "WebSocket"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := do(newApp("secret"), tt.method, tt.address, tt.key, tt.body)
			if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.says) {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
		})
	}
}
