package finch_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// keptOf connects with r and answers what the socket keeps of it.
func keptOf(t *testing.T, o finch.SocketManagerOptions, r *http.Request) *finch.Handshake {
	t.Helper()
	m := finch.NewSocketManager(&o)
	c := finchtest.ConnectRequest(t, m, r)
	defer c.Close(1000, "")
	for s := range m.Sockets() {
		return s.Request()
	}
	t.Fatal("no socket")
	return nil
}

func richRequest() *http.Request {
	r := finchtest.NewRequest("ws://app.test/ws?room=7&q=%D8%B3")
	r.Header.Set("User-Agent", "Mozilla/5.0")
	r.Header.Set("Cookie", "sid=1; theme=dark")
	r.Header.Set("Authorization", "Bearer s3cret")
	r.Header.Set("Proxy-Authorization", "Basic s3cret")
	r.Header["Accept-Language"] = []string{"fa-IR,fa;q=0.9", "en;q=0.5"}
	r.Header.Set("X-Trace", "a:b: c")
	r.Header.Set("X-Empty", "")
	r.Header.Set("Sec-WebSocket-Protocol", "finch.v1.json, finch.token.czNjcmV0")
	return r
}

func TestWhichHeadersAreKept(t *testing.T) {
	rows := []struct {
		name string
		keep []string
		want []string
	}{
		{"all", nil, []string{"Accept-Language", "Cookie", "Host", "Sec-Websocket-Protocol", "User-Agent", "X-Trace"}},
		{"none", []string{}, nil},
		{"some", []string{"x-trace", "COOKIE", "Host", "Authorization"}, []string{"Cookie", "Host", "X-Trace"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hs := keptOf(t, finch.SocketManagerOptions{KeepHeaders: row.keep}, richRequest())
				h := hs.Header()
				if got := slices.Sorted(maps.Keys(h)); !slices.Equal(got, row.want) {
					t.Errorf("kept %q, want %q", got, row.want)
				}
				for name, want := range map[string]string{"Host": "app.test", "X-Trace": "a:b: c", "Cookie": "sid=1; theme=dark",
					"Accept-Language": "fa-IR,fa;q=0.9|en;q=0.5", "Sec-Websocket-Protocol": "finch.v1.json"} {
					if got := strings.Join(h[name], "|"); got != want && slices.Contains(row.want, name) {
						t.Errorf("%s is %q, want %q", name, got, want)
					}
				}
				if h.Set("Host", "changed"); hs.Header().Get("Host") == "changed" {
					t.Error("the caller's copy is the socket's")
				}
				if hs.Language() != "fa-IR" {
					t.Errorf("language %q", hs.Language())
				}
				if u := hs.URL(); u.Path != "/ws" || u.Query().Get("room") != "7" || u.Query().Get("q") != "س" {
					t.Errorf("URL %v", u)
				}
			})
		})
	}
}

func TestAHeaderCannotForgeAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Header.Set("X-Evil", "a\nX-User: admin")
		if h := keptOf(t, finch.SocketManagerOptions{}, r).Header(); h.Get("X-User") != "" {
			t.Errorf("kept %v", h)
		}
	})
}

func TestTheGuidesTestRouteSendsTheHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Routes: map[string]finch.SocketEvent{
			"test": {OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				return s.Send("test", []any{s.Request().Header()})
			}},
		}})
		c := finchtest.ConnectRequest(t, m, richRequest())
		c.Send("test", nil)
		var got []http.Header
		if c.Expect("test", &got); len(got) != 1 || got[0].Get("User-Agent") != "Mozilla/5.0" {
			b, _ := json.Marshal(got)
			t.Errorf("got %s", b)
		}
	})
}

func TestWhoseAddressItIs(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	rows := []struct {
		name, peer string
		forwarded  []string
		trusted    []netip.Prefix
		want       string
	}{
		{"direct", "192.0.2.7:1234", nil, trusted, "192.0.2.7"},
		{"a stranger's claim", "192.0.2.7:1234", []string{"198.51.100.1"}, trusted, "192.0.2.7"},
		{"nobody is trusted", "10.0.0.1:80", []string{"198.51.100.1"}, nil, "10.0.0.1"},
		{"one proxy", "10.0.0.1:80", []string{"198.51.100.1"}, trusted, "198.51.100.1"},
		{"two proxies", "10.0.0.1:80", []string{"198.51.100.1, 10.0.0.2"}, trusted, "198.51.100.1"},
		{"two lines", "10.0.0.1:80", []string{"198.51.100.1", "10.0.0.2"}, trusted, "198.51.100.1"},
		{"a forged first hop", "10.0.0.1:80", []string{"1.2.3.4, 198.51.100.1"}, trusted, "198.51.100.1"},
		{"a forged trusted hop", "10.0.0.1:80", []string{"10.9.9.9, 198.51.100.1, 10.0.0.2"}, trusted, "198.51.100.1"},
		{"nonsense", "10.0.0.1:80", []string{"unknown"}, trusted, "10.0.0.1"},
		{"nonsense behind an address", "10.0.0.1:80", []string{"198.51.100.1, oops"}, trusted, "10.0.0.1"},
		{"only proxies", "10.0.0.1:80", []string{"10.0.0.3"}, trusted, "10.0.0.3"},
		{"IPv6", "[fd00::1]:80", []string{"2001:db8::7"}, trusted, "2001:db8::7"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:80", []string{"198.51.100.1"}, trusted, "198.51.100.1"},
		{"no address", "@", []string{"198.51.100.1"}, trusted, "invalid IP"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := finchtest.NewRequest("ws://app.test/ws")
				r.RemoteAddr = row.peer
				r.Header["X-Forwarded-For"] = row.forwarded
				if got := keptOf(t, finch.SocketManagerOptions{TrustedProxies: row.trusted}, r).RemoteAddr().String(); got != row.want {
					t.Errorf("got %s, want %s", got, row.want)
				}
			})
		})
	}
}
