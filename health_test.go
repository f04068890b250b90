package finch_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/finch-go/finch"
)

// get answers what h says to a GET.
func get(h http.Handler, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w
}

func TestReadinessEndsWithShutdownAndHealthDoesNot(t *testing.T) {
	app := finch.NewApp(nil)
	m := finch.NewSocketManager(nil)
	checks := func(ready int) {
		t.Helper()
		for _, row := range []struct {
			name string
			w    *httptest.ResponseRecorder
			want int
		}{
			{"/healthz", get(app, "/healthz"), 200},
			{"/readyz", get(app, "/readyz"), ready},
			{"Healthz", get(http.HandlerFunc(m.Healthz), "/"), 200},
			{"Readyz", get(http.HandlerFunc(m.Readyz), "/"), ready},
		} {
			if row.w.Code != row.want || row.w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%s answered %d %v", row.name, row.w.Code, row.w.Header())
			}
		}
	}
	checks(200)
	if err := app.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	checks(503)
}

func TestARouteOfTheAppsOwnComesBeforeHealth(t *testing.T) {
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{
		{Path: "/healthz", Index: func(rq *finch.Request) error { return rq.RenderString("mine") }},
	}})
	if w := get(app, "/healthz"); w.Body.String() != "mine" {
		t.Errorf("answered %s", w.Body)
	}
	if w := get(app, "/readyz"); w.Code != 200 {
		t.Errorf("answered %d", w.Code)
	}
}

// readyz is a manager's check as a handler.
func readyz(m *finch.SocketManager) http.Handler { return http.HandlerFunc(m.Readyz) }
