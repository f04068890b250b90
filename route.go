package finch

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Route is one address of an [App], or a tree of them. Exactly one of Index,
// WS and Handler serves it; a Route that only has Children needs none.
type Route struct {
	// Key names the route for [App.URL]; empty: it has no name. A key is
	// unique in its App.
	Key string
	// Path is the URL path, with the wildcards of [http.ServeMux]: "ws" and
	// "/ws" are the same, "/user/{id}", "/files/{path...}". A Path that ends
	// with a slash stands for itself alone, except under Handler, where it
	// stands for everything below, as in ServeMux. Children's paths continue
	// their parent's.
	Path string
	// Methods are the HTTP methods, MethodsAll is any. Nil is GET (and with it
	// HEAD), except that a Handler decides for itself: there it is any.
	Methods []string
	// Index serves ordinary requests. An [Error] that it returns is what the
	// client sees, as JSON {"error": {"code", "message"}}; any other is
	// logged and answered 500.
	Index func(rq *Request) error
	// WS serves a raw WebSocket: bytes in, bytes out.
	WS func(ws *RawSocket)
	// Handler serves with any net/http handler: a file server, a template, a
	// profile.
	Handler http.Handler
	// Children are routes below this one.
	Children []Route
	// Middleware wraps this route and its children, the first outermost.
	Middleware []func(http.Handler) http.Handler
}

// MethodsAll stands for every HTTP method.
var MethodsAll = []string{"*"}

// registeredRoute is a route that the mux knows.
type registeredRoute struct {
	key, path, place string
	methods          []string
}

func (r *registeredRoute) String() string {
	if r.key == "" {
		return fmt.Sprintf("%s (at %s)", r.path, r.place)
	}
	return fmt.Sprintf("%s, key %q (at %s)", r.path, r.key, r.place)
}

// router turns routes into http.ServeMux patterns and remembers where each
// came from, because the mux only knows that two of them disagree.
type router struct {
	mux    *http.ServeMux
	byPath map[string][]*registeredRoute
	byKey  map[string]*registeredRoute
}

func newRouter() *router {
	return &router{mux: http.NewServeMux(), byPath: map[string][]*registeredRoute{}, byKey: map[string]*registeredRoute{}}
}

// add registers r and its children below parent. serve makes the handler of
// one route. It panics, as [http.ServeMux] does, with both places.
func (t *router) add(r Route, parent string, wrap func(http.Handler) http.Handler, serve func(Route) http.Handler, place string) {
	path := parent + "/" + strings.TrimPrefix(r.Path, "/")
	if r.Path == "" || r.Path == "/" {
		path = orElse(parent, "/")
	}
	inner := wrap
	wrap = func(h http.Handler) http.Handler {
		for _, mw := range slices.Backward(r.Middleware) {
			h = mw(h)
		}
		return inner(h)
	}
	if reg := (&registeredRoute{r.Key, path, place, r.methods()}); t.serves(r, reg) {
		t.register(reg, pattern(r, path), wrap(serve(r)))
	} else if r.Key != "" {
		t.name(reg)
	}
	for _, child := range r.Children {
		t.add(child, strings.TrimSuffix(path, "/"), wrap, serve, place)
	}
}

func (r *Route) methods() []string {
	switch {
	case r.Methods != nil:
		return r.Methods
	case r.Handler != nil:
		return MethodsAll
	}
	return []string{http.MethodGet}
}

// serves checks what serves the route; false for one that only has children.
func (t *router) serves(r Route, reg *registeredRoute) bool {
	var ways []string
	if r.Index != nil {
		ways = append(ways, "Index")
	}
	if r.WS != nil {
		ways = append(ways, "WS")
	}
	if r.Handler != nil {
		ways = append(ways, "Handler")
	}
	switch {
	case len(ways) > 1:
		panic(fmt.Sprintf("finch: route %v has %s; a route is served by one: keep one of them, or make two routes", reg, strings.Join(ways, " and ")))
	case len(ways) == 0 && len(r.Children) == 0:
		panic(fmt.Sprintf("finch: route %v serves nothing: give it Index, WS, Handler or Children", reg))
	case len(reg.methods) == 0:
		panic(fmt.Sprintf("finch: route %v has an empty list of Methods: nil means GET, finch.MethodsAll any", reg))
	case r.WS != nil && !slices.ContainsFunc(reg.methods, func(m string) bool { return m == "*" || m == http.MethodGet }):
		panic(fmt.Sprintf("finch: route %v has WS but not the method GET, with which every WebSocket begins", reg))
	}
	return len(ways) == 1
}

// pattern answers what the mux calls the path.
func pattern(r Route, path string) string {
	if r.Handler == nil && strings.HasSuffix(path, "/") {
		return path + "{$}"
	}
	return path
}

// name keeps the keys unique.
func (t *router) name(reg *registeredRoute) {
	if first := t.byKey[reg.key]; first != nil {
		panic(fmt.Sprintf("finch: two routes have the key %q: %v and %v; keep one of them, or give one another key", reg.key, first, reg))
	}
	t.byKey[reg.key] = reg
}

func (t *router) register(reg *registeredRoute, pattern string, h http.Handler) {
	for _, first := range t.byPath[pattern] {
		if overlap(first.methods, reg.methods) {
			panic(fmt.Sprintf("finch: two routes serve %s: %v and %v; keep one of them, or give them different Methods", pattern, first, reg))
		}
	}
	if reg.key != "" {
		t.name(reg)
	}
	for _, method := range reg.methods {
		full := method + " " + pattern
		if method == "*" {
			full = pattern
		}
		t.handle(reg, full, h)
	}
	t.byPath[pattern] = append(t.byPath[pattern], reg)
}

// handle adds a place to what the mux has to say about a pattern.
func (t *router) handle(reg *registeredRoute, pattern string, h http.Handler) {
	defer func() {
		if p := recover(); p != nil {
			panic(fmt.Sprintf("finch: route %v: %v%s", reg, p, t.rival(fmt.Sprint(p), reg)))
		}
	}()
	t.mux.Handle(pattern, h)
}

// rival names the place of the route that the mux's complaint is about.
func (t *router) rival(complaint string, reg *registeredRoute) string {
	for pattern, routes := range t.byPath {
		for _, r := range routes {
			if r != reg && strings.Contains(complaint, pattern+"\"") {
				return fmt.Sprintf("\nThe other route is %v: make one of the two paths more specific, or give both the same Methods", r)
			}
		}
	}
	return ""
}

func overlap(a, b []string) bool {
	for _, m := range a {
		if m == "*" || slices.Contains(b, m) || slices.Contains(b, "*") {
			return true
		}
	}
	return false
}

// url fills the wildcards of a route's path.
func (t *router) url(key string, args []string) string {
	reg := t.byKey[key]
	if reg == nil {
		panic(fmt.Sprintf("finch: no route has the key %q", key))
	}
	values := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		values[args[i]] = args[i+1]
	}
	if len(args)%2 != 0 {
		panic(fmt.Sprintf("finch: URL(%q): %q has no value; arguments are names and values in turn", key, args[len(args)-1]))
	}
	var b strings.Builder
	for rest := reg.path; rest != ""; {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			break
		}
		var name string
		name, rest, _ = strings.Cut(after, "}")
		name, many := strings.CutSuffix(name, "...")
		if name == "$" {
			continue
		}
		value, ok := values[name]
		if !ok {
			panic(fmt.Sprintf("finch: URL(%q): route %v needs a value for {%s}", key, reg, name))
		}
		b.WriteString(escapePath(value, many))
	}
	return b.String()
}

func escapePath(value string, many bool) string {
	if !many {
		return url.PathEscape(value)
	}
	parts := strings.Split(value, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
