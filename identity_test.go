package finch_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func tokenProtocol(token string) string {
	return "finch.token." + base64.RawURLEncoding.EncodeToString([]byte(token))
}

func TestWhereAnIdentityComesFrom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: func(r *http.Request) (finch.Identity, error) {
			asked++
			return finch.Identity{User: "asked", Values: map[string]any{"from": "Authenticate"}}, nil
		}})
		var upgrade []finch.UpgradeOption
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.Upgrade(w, r, upgrade...) })
		connect := func(r *http.Request) (user string) {
			c := finchtest.ConnectRequest(t, h, r)
			for s := range m.Sockets() {
				user = s.User()
				if from := s.Get("from"); (user == "asked") != (from == "Authenticate") {
					t.Errorf("the value is %v", from)
				}
			}
			c.Close(1000, "")
			synctest.Wait()
			return user
		}
		plain := finchtest.NewRequest("ws://app.test/ws")
		inContext := plain.WithContext(finch.IdentityContext(plain.Context(), finch.Identity{User: "context"}))
		if got := connect(plain); got != "asked" || asked != 1 {
			t.Errorf("the user is %q, asked %d times", got, asked)
		}
		if got := connect(inContext); got != "context" || asked != 1 {
			t.Errorf("the user is %q, asked %d times", got, asked)
		}
		upgrade = append(upgrade, finch.WithIdentity(finch.Identity{User: "option"}))
		if got := connect(inContext); got != "option" || asked != 1 {
			t.Errorf("the user is %q, asked %d times", got, asked)
		}
		upgrade[0] = finch.WithIdentity(finch.Identity{})
		if got := connect(plain); got != "" || asked != 1 {
			t.Errorf("the user is %q, asked %d times: anonymous is an answer too", got, asked)
		}
	})
}

func TestToken(t *testing.T) {
	rows := []struct {
		name, authorization string
		protocols           []string
		want                string
	}{
		{"nothing", "", nil, ""},
		{"a header", "Bearer s3cret", nil, "s3cret"},
		{"a header in other case", "bEARER  s3cret ", nil, "s3cret"},
		{"another scheme", "Basic dXNlcg==", nil, ""},
		{"a subprotocol", "", []string{"finch.v1.json, " + tokenProtocol("s3cret")}, "s3cret"},
		{"a subprotocol on its own line", "", []string{"finch.v1.json", tokenProtocol("s3cret")}, "s3cret"},
		{"both", "Bearer header", []string{tokenProtocol("protocol")}, "header"},
		{"no base64url", "", []string{"finch.token.%%%"}, ""},
		{"an empty one", "", []string{"finch.token."}, ""},
		{"an empty header", "Bearer ", nil, ""},
	}
	for _, row := range rows {
		r := finchtest.NewRequest("ws://app.test/ws?token=url&access_token=url")
		if row.authorization != "" {
			r.Header.Set("Authorization", row.authorization)
		}
		r.Header["Sec-Websocket-Protocol"] = row.protocols
		if got := finch.Token(r); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
}

func TestATokenIsNeverEchoedKeptOrLogged(t *testing.T) {
	logger, book := newLogbook()
	app := finch.NewApp(&finch.AppOptions{Logger: logger})
	var seen string
	m := finch.NewSocketManager(&finch.SocketManagerOptions{App: app,
		Authenticate: func(r *http.Request) (finch.Identity, error) {
			seen = finch.Token(r)
			if seen == "wrong" {
				return finch.Identity{}, errors.New("the database is away")
			}
			return finch.Identity{User: "sara"}, nil
		},
		Event: finch.SocketEvent{OnConnect: func(ctx context.Context, s *finch.Socket) error {
			return s.Send("kept", []any{s.Request().Header(), s.Request().URL().String()})
		}},
	})
	app.AddRoute(finch.Route{Path: "/ws", Handler: m})
	addr := serve(t, app)
	secrets := []string{"s3cret-token", tokenProtocol("s3cret-token"), "Bearer"}
	for _, header := range []string{"Sec-WebSocket-Protocol: finch.v1.json, " + tokenProtocol("s3cret-token"), "Authorization: Bearer s3cret-token"} {
		v := visit(t, addr, "/ws", header).welcome()
		if seen != "s3cret-token" {
			t.Errorf("Authenticate saw %q", seen)
		}
		kept := string(v.expect("kept").Data)
		var answer strings.Builder
		v.answer.Header.Write(&answer)
		for _, secret := range secrets {
			if strings.Contains(kept, secret) {
				t.Errorf("it is kept: %s", kept)
			}
			if strings.Contains(answer.String(), secret) {
				t.Errorf("it is echoed: %s", &answer)
			}
		}
	}
	if v := visit(t, addr, "/ws", "Authorization: Bearer wrong"); v.answer.StatusCode != 500 {
		t.Errorf("answered %s", v.answer.Status)
	}
	book.wants(t, "the database is away")
	book.lacks(t, append(secrets, "wrong")...)
}

// Browsers show no status of a refused handshake to scripts, but they do show
// close codes.
func TestHowARefusalReachesTheClient(t *testing.T) {
	rows := []struct {
		name   string
		err    error
		status int // to a client that offered no finch. subprotocol
		code   int // to one that did; 0: the status too
		says   string
	}{
		{"nobody", finch.Errorf(401, "sign_in", "sign in again"), 401, 4401, "sign in again"},
		{"banned", finch.Errorf(403, "banned", "not you"), 403, 4403, "not you"},
		{"too many", finch.Errorf(429, "slow", "later"), 429, 0, "later"},
		{"full", finch.Errorf(503, "full", "later"), 503, 0, "later"},
		{"a failure of ours", errors.New("dial tcp 10.0.0.7: refused"), 500, 0, "went wrong"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				logger, book := newLogbook()
				m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger,
					Authenticate: func(*http.Request) (finch.Identity, error) { return finch.Identity{}, row.err },
					Event: finch.SocketEvent{
						OnConnect:    func(context.Context, *finch.Socket) error { t.Error("OnConnect ran"); return nil },
						OnDisconnect: func(context.Context, *finch.Socket, finch.CloseReason) { t.Error("OnDisconnect ran") },
					},
				})
				w := refused(t, m, nil)
				if w.Code != row.status || !strings.Contains(w.Body.String(), row.says) || strings.Contains(w.Body.String(), "10.0.0.7") {
					t.Errorf("answered %d %s", w.Code, w.Body)
				}
				w = refused(t, m, func(r *http.Request) { r.Header.Set("Sec-WebSocket-Protocol", "chat") })
				if w.Code != row.status {
					t.Errorf("a client of another protocol was answered %d", w.Code)
				}
				offer := func(r *http.Request) *http.Request {
					r.Header.Set("Sec-WebSocket-Protocol", "finch.v1.json, "+tokenProtocol("x"))
					return r
				}
				if row.code == 0 {
					if w := refused(t, m, func(r *http.Request) { offer(r) }); w.Code != row.status {
						t.Errorf("a finch client was answered %d", w.Code)
					}
				} else {
					c := finchtest.ConnectRequest(t, m, offer(finchtest.NewRequest("ws://app.test/ws")))
					if code, reason := c.ExpectClose(); code != row.code || reason != row.says {
						t.Errorf("closed with %d %q", code, reason)
					}
				}
				if row.status == 500 {
					book.wants(t, "10.0.0.7")
				}
				if m.CountClients() != 0 {
					t.Error("it counts")
				}
			})
		})
	}
}

func TestAPanicOfAuthenticateIsARefusal(t *testing.T) {
	logger, book := newLogbook()
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger,
		Authenticate: func(*http.Request) (finch.Identity, error) { panic("kaboom") }})
	if w := refused(t, m, nil); w.Code != 500 || strings.Contains(w.Body.String(), "kaboom") {
		t.Errorf("answered %d %s", w.Code, w.Body)
	}
	if book.wants(t, "kaboom", "identity_test.go"); m.Stats().Panics != 1 {
		t.Errorf("%d panics", m.Stats().Panics)
	}
}

func TestAnIdentityThatHasExpiredIsRefused(t *testing.T) {
	m := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: func(*http.Request) (finch.Identity, error) {
		return finch.Identity{User: "sara", ExpiresAt: time.Now().Add(-time.Second)}, nil
	}})
	if w := refused(t, m, nil); w.Code != 401 {
		t.Errorf("answered %d", w.Code)
	}
}

func TestASocketIsClosedWith4401WhenItsProofExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		start := time.Now()
		c, s := join(t, m, finch.Identity{User: "sara", ExpiresAt: start.Add(time.Hour)})
		finchtest.Connect(t, m, finch.Identity{User: "omid"}) // never expires
		time.Sleep(time.Hour - time.Second)
		s.Send("still here", nil)
		c.Expect("still here", nil)
		time.Sleep(2 * time.Second)
		if code, _ := c.ExpectClose(); code != 4401 {
			t.Errorf("closed with %d", code)
		}
		time.Sleep(100 * time.Hour)
		if m.CountClients() != 1 {
			t.Errorf("%d sockets are left", m.CountClients())
		}
	})
}

// tokens is an Authenticate for tokens of the form "user until <duration>",
// counted from epoch.
func tokens(epoch time.Time, asked *atomic.Int32) func(r *http.Request) (finch.Identity, error) {
	return func(r *http.Request) (finch.Identity, error) {
		asked.Add(1)
		user, until, ok := strings.Cut(finch.Token(r), " until ")
		if !ok || r.Host != "app.test" || r.URL.Path != "/ws" || r.Header.Get("X-Mark") != "kept" || !strings.HasPrefix(r.RemoteAddr, "192.0.2.1:") {
			return finch.Identity{}, finch.Errorf(401, "bad_token", "sign in again")
		}
		d, err := time.ParseDuration(until)
		return finch.Identity{User: user, ExpiresAt: epoch.Add(d)}, err
	}
}

func TestFinchAuthRenewsTheProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		epoch := time.Now()
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: tokens(epoch, &asked)})
		r := finchtest.NewRequest("ws://app.test/ws")
		r.Header.Set("Sec-WebSocket-Protocol", tokenProtocol("sara until 1h"))
		r.Header.Set("X-Mark", "kept")
		c := finchtest.ConnectRequest(t, m, r)
		renew := func(token string) error {
			_, err := finchtest.Request[any](c, "finch.auth", map[string]string{"token": token})
			return err
		}
		time.Sleep(50 * time.Minute)
		rows := []struct {
			token  string
			status int
		}{
			{"nonsense", 401}, {"omid until 3h", 403}, {"sara until 10m", 401}, {"", 401},
		}
		for _, row := range rows {
			if err := renew(row.token); finch.StatusOf(err) != row.status {
				t.Errorf("token %q was answered %v, want %d", row.token, err, row.status)
			}
		}
		if err := renew("sara until 2h"); err != nil {
			t.Errorf("a good token was answered %v", err)
		}
		time.Sleep(60 * time.Minute) // beyond the first proof
		if _, err := finchtest.Request[any](c, "finch.ping", nil); err != nil {
			t.Error(err)
		}
		time.Sleep(11 * time.Minute) // beyond the second
		if code, _ := c.ExpectClose(); code != 4401 {
			t.Errorf("closed with %d", code)
		}
	})
}

func TestFinchAuthWithoutAuthenticateIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, finch.NewSocketManager(nil), finch.Identity{User: "sara"})
		if _, err := finchtest.Request[any](c, "finch.auth", map[string]string{"token": "x"}); finch.StatusOf(err) != 422 {
			t.Errorf("answered %v", err)
		}
		if _, err := finchtest.Request[any](c, "finch.auth", "x"); finch.StatusOf(err) != 400 {
			t.Errorf("answered %v", err)
		}
	})
}

func TestACookieIsAProofToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: func(r *http.Request) (finch.Identity, error) {
			c, err := r.Cookie("sid")
			if err != nil {
				return finch.Identity{}, finch.Errorf(401, "sign_in", "sign in first")
			}
			return finch.Identity{User: c.Value}, nil
		}})
		r := finchtest.NewRequest("ws://app.test/ws")
		r.AddCookie(&http.Cookie{Name: "sid", Value: "sara"})
		finchtest.ConnectRequest(t, m, r)
		if m.CountUsers() != 1 {
			t.Error("no user is here")
		}
		w := httptest.NewRecorder()
		if m.ServeHTTP(w, finchtest.NewRequest("ws://app.test/ws")); w.Code != 401 {
			t.Errorf("answered %d", w.Code)
		}
	})
}
