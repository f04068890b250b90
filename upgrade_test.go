package finch_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// refused sends a handshake that must be refused and answers how it was.
func refused(t *testing.T, h http.Handler, change func(r *http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	r := finchtest.NewRequest("ws://app.test/ws")
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == http.StatusSwitchingProtocols || w.Code == http.StatusOK {
		t.Errorf("it was let in: %d", w.Code)
	}
	return w
}

func TestWhatIsNoHandshakeIsRefusedWithOneSentence(t *testing.T) {
	rows := []struct {
		name   string
		change func(r *http.Request)
		status int
		says   string
		header string
		value  string
	}{
		{"an ordinary request", func(r *http.Request) { r.Header.Del("Upgrade"); r.Header.Del("Connection") }, 426, `new WebSocket("ws://app.test/ws")`, "Upgrade", "websocket"},
		{"no Upgrade", func(r *http.Request) { r.Header.Del("Upgrade") }, 426, "WebSocket", "Sec-WebSocket-Version", "13"},
		{"another upgrade", func(r *http.Request) { r.Header.Set("Upgrade", "h2c") }, 426, "WebSocket", "Connection", "Upgrade"},
		{"no Connection", func(r *http.Request) { r.Header.Set("Connection", "keep-alive") }, 426, "WebSocket", "Upgrade", "websocket"},
		{"another version", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Version", "8") }, 426, "must be 13", "Sec-WebSocket-Version", "13"},
		{"no version", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Version") }, 426, "must be 13", "Sec-WebSocket-Version", "13"},
		{"no key", func(r *http.Request) { r.Header.Del("Sec-WebSocket-Key") }, 400, "Sec-WebSocket-Key", "", ""},
		{"a short key", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "AAAA") }, 400, "Sec-WebSocket-Key", "", ""},
		{"a key that is no base64", func(r *http.Request) { r.Header.Set("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAA!==") }, 400, "Sec-WebSocket-Key", "", ""},
		{"two keys", func(r *http.Request) { r.Header.Add("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==") }, 400, "once", "", ""},
		{"another method", func(r *http.Request) { r.Method = http.MethodPost }, 405, "GET", "Allow", "GET"},
		{"HTTP/1.0", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 1, 0 }, 505, "HTTP/1.1", "", ""},
		{"HTTP/2", func(r *http.Request) { r.ProtoMajor, r.ProtoMinor = 2, 0 }, 505, "HTTP/1.1", "", ""},
	}
	asked := false
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		Authenticate: func(r *http.Request) (finch.Identity, error) { asked = true; return finch.Identity{}, nil },
	})
	app := finch.NewApp(&finch.AppOptions{Routes: []finch.Route{{Path: "/ws", Methods: finch.MethodsAll, Handler: m},
		{Path: "/raw", Methods: finch.MethodsAll, WS: func(*finch.RawSocket) { t.Error("a raw socket was opened") }}}})
	for _, row := range rows {
		for _, path := range []string{"/ws", "/raw"} {
			t.Run(row.name+path, func(t *testing.T) {
				w := refused(t, app, func(r *http.Request) { r.URL.Path = path; row.change(r) })
				body := strings.TrimSpace(w.Body.String())
				if w.Code != row.status || !strings.Contains(body, strings.Replace(row.says, "/ws\"", path+"\"", 1)) || strings.Contains(body, "\n") {
					t.Errorf("answered %d %q", w.Code, body)
				}
				if row.header != "" && w.Header().Get(row.header) != row.value {
					t.Errorf("header %s is %q", row.header, w.Header().Get(row.header))
				}
			})
		}
	}
	if asked {
		t.Error("Authenticate was asked about what is no handshake")
	}
}

func TestHandshakeHeadersAreReadAsLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Header.Set("Connection", "keep-alive, UPGRADE")
		r.Header.Set("Upgrade", "WebSocket")
		finchtest.ConnectRequest(t, finch.NewSocketManager(nil), r).Close(1000, "")
	})
}

func TestUpgradeReturnsWhatItAnswered(t *testing.T) {
	m := finch.NewSocketManager(nil)
	r := finchtest.NewRequest("ws://app.test/ws")
	r.Header.Del("Upgrade")
	err := m.Upgrade(httptest.NewRecorder(), r)
	var e *finch.Error
	if !errors.As(err, &e) || e.Status != 426 {
		t.Errorf("Upgrade returned %v", err)
	}
}

func TestAResponseWriterThatCannotBeHijackedIsSaidInTheLog(t *testing.T) {
	logger, book := newLogbook()
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger})
	w := refused(t, m, nil) // a recorder has no connection
	if w.Code != 500 || m.CountClients() != 0 {
		t.Errorf("answered %d, %d sockets", w.Code, m.CountClients())
	}
	book.wants(t, "cannot be hijacked", "Unwrap")
}

func TestMiddlewareThatUnwrapsMayStandBetween(t *testing.T) {
	app := finch.NewApp(nil)
	m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app, Event: finch.SocketEvent{
		OnConnect: func(ctx context.Context, s *finch.Socket) error { return s.Send("hello", nil) },
	}})
	app.AddRoute(finch.Route{Path: "/ws", Handler: m, Middleware: []func(http.Handler) http.Handler{
		func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Set-Cookie", "seen=1")
				w.Header().Set("Content-Type", "text/html")
				next.ServeHTTP(wrapped{w}, r)
			})
		},
	}})
	v := visit(t, serve(t, app), "/ws").welcome()
	if v.answer.Header.Get("Set-Cookie") != "seen=1" || v.answer.Header.Get("Content-Type") != "" {
		t.Errorf("the answer has the headers %v", v.answer.Header)
	}
	v.expect("hello")
	v.close(1000)
	v.expectClose(1000)
}

type wrapped struct{ http.ResponseWriter }

func (w wrapped) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestTheSubprotocolIsChosenByTheServer(t *testing.T) {
	app := finch.NewApp(nil)
	app.AddRoute(finch.Route{Path: "/ws", Handler: finch.NewSocketManager(&finch.SocketManagerOptions{App: app})})
	addr := serve(t, app)
	rows := map[string]string{
		"":                                    "",
		"finch.v1.json":                       "finch.v1.json",
		"chat, finch.v1.json, other":          "finch.v1.json",
		"chat":                                "", // unknown ones are ignored
		"FINCH.V1.JSON":                       "",
		"finch.v9.cbor":                       "",
		"finch.v1.json, finch.token.c2VjcmV0": "finch.v1.json",
		"finch.token.c2VjcmV0":                "",
	}
	for offered, want := range rows {
		var header []string
		if offered != "" {
			header = append(header, "Sec-WebSocket-Protocol: "+offered)
		}
		v := visit(t, addr, "/ws", header...).welcome()
		if got := v.answer.Header.Values("Sec-WebSocket-Protocol"); strings.Join(got, "|") != want {
			t.Errorf("offered %q, chosen %q, want %q", offered, got, want)
		}
		v.close(1000)
		v.expectClose(1000)
	}
}

func TestBytesBehindTheHandshakeAreHandled(t *testing.T) {
	app := finch.NewApp(nil)
	m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app})
	finch.On(m, "early", func(ctx context.Context, s *finch.Socket, n int) error { return s.Send("got", n) })
	app.AddRoute(finch.Route{Path: "/ws", Handler: m})
	addr := serve(t, app)
	var early strings.Builder // in the same segment as the handshake
	early.WriteString("X: y\r\n\r\n")
	for i := range 3 {
		early.Write(maskedText(`{"path":"early","data":` + string(rune('0'+i)) + `}`))
	}
	v := visit(t, addr, "/ws", strings.TrimSuffix(early.String(), "\r\n")).welcome()
	for i := range 3 {
		if e := v.expect("got"); string(e.Data) != string(rune('0'+i)) {
			t.Errorf("got %s, want %d", e.Data, i)
		}
	}
}

// Whatever the headers say, a handshake gets an answer that means something.
func FuzzUpgrade(f *testing.F) {
	f.Add("http://app.test", "198.51.100.1, 10.0.0.1", "finch.v1.json, finch.token.czNjcmV0", "AAAAAAAAAAAAAAAAAAAAAA==", "app.test")
	f.Add("null", "unknown", "finch.", "", "[::1")
	f.Add("http://[::1]:x", ",,,", ",", "=", "")
	f.Add("*", "::ffff:1.2.3.4", "finch.token.\xff", "AAAAAAAAAAAAAAAAAAAAA!==", "a:b:c")
	logger, _ := newLogbook()
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		AllowedOrigins: []string{"https://app.example.com", "*.example.org"},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")},
		Limits:         finch.Limits{SocketsPerAddress: 1},
		Logger:         logger,
	})
	f.Fuzz(func(t *testing.T, origin, forwarded, protocols, key, host string) {
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Host = host
		r.Header.Set("Origin", origin)
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Sec-WebSocket-Protocol", protocols)
		r.Header.Set("Sec-WebSocket-Key", key)
		w := httptest.NewRecorder()
		err := m.Upgrade(w, r)
		switch w.Code { // a recorder cannot be hijacked: 500 is as far as it goes
		case 400, 403, 500:
		default:
			t.Errorf("answered %d %s", w.Code, w.Body)
		}
		if finch.StatusOf(err) != w.Code {
			t.Errorf("answered %d and returned %v", w.Code, err)
		}
		if m.CountClients() != 0 {
			t.Error("it counts")
		}
		if token := finch.Token(r); len(token) > 8 && strings.Contains(w.Body.String(), token) {
			t.Errorf("the answer has the token: %s", w.Body)
		}
	})
}
