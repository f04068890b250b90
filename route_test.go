package finch_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

// say is an Index that answers with a name.
func say(name string) func(rq *finch.Request) error {
	return func(rq *finch.Request) error { return rq.RenderString(name) }
}

func handler(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, name) })
}

func TestRoutesLeadWhereTheyShould(t *testing.T) {
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{
		{Path: "/", Index: say("home")},
		{Path: "about", Index: say("about")}, // with and without a slash is the same
		{Path: "/slash/", Index: say("slash")},
		{Path: "/user/{id}", Index: func(rq *finch.Request) error { return rq.RenderString("user " + rq.PathValue("id")) }},
		{Path: "/files/{path...}", Index: func(rq *finch.Request) error { return rq.RenderString("file " + rq.PathValue("path")) }},
		{Path: "/both", Index: say("got")},
		{Path: "/both", Methods: []string{"POST", "PUT"}, Index: say("posted")},
		{Path: "/all", Methods: finch.MethodsAll, Index: say("all")},
		{Path: "/static/", Handler: handler("static")},
		{Path: "/api", Index: say("api"), Children: []finch.Route{
			{Path: "/", Methods: []string{"POST"}, Index: say("api posted")},
			{Path: "v1", Children: []finch.Route{{Path: "/rooms/{room}", Index: func(rq *finch.Request) error { return rq.RenderString("room " + rq.PathValue("room")) }}}},
		}},
	}})
	rows := []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, "home"}, {"HEAD", "/", 200, "home"}, {"GET", "/about", 200, "about"},
		{"GET", "/slash/", 200, "slash"}, {"GET", "/slash/more", 404, ""},
		{"GET", "/user/7", 200, "user 7"}, {"GET", "/user/%D8%B3", 200, "user س"}, {"GET", "/user/7/x", 404, ""},
		{"GET", "/files/a/b/c", 200, "file a/b/c"},
		{"GET", "/both", 200, "got"}, {"POST", "/both", 200, "posted"}, {"PUT", "/both", 200, "posted"}, {"DELETE", "/both", 405, ""},
		{"DELETE", "/all", 200, "all"}, {"GET", "/all", 200, "all"},
		{"GET", "/static/", 200, "static"}, {"GET", "/static/deep/down.css", 200, "static"},
		{"GET", "/api", 200, "api"}, {"POST", "/api", 200, "api posted"}, {"GET", "/api/v1/rooms/a", 200, "room a"},
		{"GET", "/nowhere", 404, ""}, {"POST", "/about", 405, ""}, {"GET", "/ABOUT", 404, ""},
	}
	for _, row := range rows {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest(row.method, row.path, nil))
		if w.Code != row.status || row.body != "" && w.Body.String() != row.body {
			t.Errorf("%s %s: %d %q, want %d %q", row.method, row.path, w.Code, w.Body, row.status, row.body)
		}
	}
}

func TestMiddlewareWrapsFromOutsideIn(t *testing.T) {
	var ran []string
	mark := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				ran = append(ran, name)
				next.ServeHTTP(w, r)
			})
		}
	}
	app := finch.NewApp(&finch.AppOptions{
		Middleware: []func(http.Handler) http.Handler{mark("app1"), mark("app2")},
		Routes: []finch.Route{{Path: "/a", Middleware: []func(http.Handler) http.Handler{mark("a1"), mark("a2")}, Index: say("a"),
			Children: []finch.Route{{Path: "/b", Middleware: []func(http.Handler) http.Handler{mark("b")}, Index: say("b")}}}},
	})
	for path, want := range map[string]string{"/a": "app1 app2 a1 a2", "/a/b": "app1 app2 a1 a2 b", "/nowhere": "app1 app2"} {
		ran = nil
		get(app, path)
		if got := strings.Join(ran, " "); got != want {
			t.Errorf("%s: ran %s, want %s", path, got, want)
		}
	}
}

// The guide shows these two as alternatives; pasted both, they must not fight
// in silence.
func TestTheGuidesTwoRoutesPastedBothNameEachOther(t *testing.T) {
	app := finch.NewApp(nil)
	app.AddRoute(finch.Route{Key: "root.ws", Path: "/ws", WS: func(ws *finch.RawSocket) {}})
	text := panicOf(func() {
		app.AddRoute(finch.Route{Key: "root.ws", Path: "ws", Methods: finch.MethodsAll, Index: say("x")})
	})
	for _, want := range []string{"/ws", `"root.ws"`, "keep one"} {
		if !strings.Contains(text, want) {
			t.Errorf("the panic does not say %q: %s", want, text)
		}
	}
	if strings.Count(text, "route_test.go:") != 2 {
		t.Errorf("the panic does not name both places: %s", text)
	}
}

func TestARouteThatCannotBeIsRefusedWithItsPlace(t *testing.T) {
	index := say("x")
	rows := []struct {
		name   string
		routes []finch.Route
		says   []string
	}{
		{"the same path", []finch.Route{{Path: "/a", Index: index}, {Path: "a", Index: index}}, []string{"two routes serve", "keep one"}},
		{"the same method", []finch.Route{{Path: "/a", Methods: []string{"PUT", "POST"}, Index: index}, {Path: "/a", Methods: []string{"POST"}, Index: index}}, []string{"two routes serve"}},
		{"all methods and one", []finch.Route{{Path: "/a", Methods: finch.MethodsAll, Index: index}, {Path: "/a", Index: index}}, []string{"two routes serve", "different Methods"}},
		{"the same key", []finch.Route{{Key: "k", Path: "/a", Index: index}, {Key: "k", Path: "/b", Index: index}}, []string{`two routes have the key "k"`, "/a", "/b"}},
		{"the same key without a server", []finch.Route{{Key: "k", Path: "/a", Children: []finch.Route{{Key: "k", Path: "/b", Index: index}}}}, []string{`the key "k"`}},
		{"paths that the mux cannot order", []finch.Route{{Path: "/{a}/x", Index: index}, {Path: "/x/{b}", Index: index}}, []string{"/{a}/x", "/x/{b}", "more specific"}},
		{"a wildcard that is broken", []finch.Route{{Path: "/{a", Index: index}}, []string{"/{a"}},
		{"nothing to serve", []finch.Route{{Path: "/a"}}, []string{"serves nothing", "Index, WS, Handler or Children"}},
		{"two servers", []finch.Route{{Path: "/a", Index: index, Handler: handler("x")}}, []string{"Index and Handler"}},
		{"no methods", []finch.Route{{Path: "/a", Methods: []string{}, Index: index}}, []string{"empty list of Methods"}},
		{"a WebSocket without GET", []finch.Route{{Path: "/a", Methods: []string{"POST"}, WS: func(*finch.RawSocket) {}}}, []string{"GET"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			says := append(row.says, "route_test.go:")
			wantPanic(t, func() { finch.NewApp(&finch.AppOptions{Routes: row.routes}) }, says...)
			wantPanic(t, func() { finch.NewApp(nil).AddRoute(row.routes...) }, says...)
		})
	}
}

func TestURLByKey(t *testing.T) {
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{
		{Key: "home", Path: "/", Index: say("")},
		{Key: "slash", Path: "/slash/", Index: say("")},
		{Key: "user", Path: "/user/{id}/{tab}", Index: say("")},
		{Key: "file", Path: "/files/{path...}", Index: say("")},
		{Key: "group", Path: "/api", Children: []finch.Route{{Key: "room", Path: "rooms/{room}", Index: say("")}}},
	}})
	rows := []struct {
		key  string
		args []string
		want string
	}{
		{"home", nil, "/"}, {"slash", nil, "/slash/"}, {"group", nil, "/api"},
		{"user", []string{"id", "a/b ?", "tab", "سلام"}, "/user/a%2Fb%20%3F/%D8%B3%D9%84%D8%A7%D9%85"},
		{"file", []string{"path", "a b/c"}, "/files/a%20b/c"},
		{"room", []string{"room", "1", "unused", "2"}, "/api/rooms/1"},
	}
	for _, row := range rows {
		if got := app.URL(row.key, row.args...); got != row.want {
			t.Errorf("%s: got %s, want %s", row.key, got, row.want)
		}
	}
	wantPanic(t, func() { app.URL("nobody") }, `"nobody"`)
	wantPanic(t, func() { app.URL("room") }, "{room}")
	wantPanic(t, func() { app.URL("room", "room") }, `"room" has no value`)
}
