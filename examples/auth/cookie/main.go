// Command cookie lets clients in with the session cookie that the rest of a
// site uses.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// session is one browser that has signed in.
type session struct {
	user    string
	expires time.Time
}

// sessions are kept in memory; a real program has them in its database.
type sessions struct {
	mu   sync.Mutex
	byID map[string]session
}

// open begins a session and sets its cookie.
func (t *sessions) open(w http.ResponseWriter, user string) {
	id, expires := rand.Text(), time.Now().Add(12*time.Hour)
	t.mu.Lock()
	t.byID[id] = session{user, expires}
	t.mu.Unlock()
	http.SetCookie(w, &http.Cookie{
		Name: "sid", Value: id, Path: "/", Expires: expires,
		HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode,
	})
}

// end ends a session, and every socket that was opened with it.
func (t *sessions) end(id string, sockets *finch.SocketManager) {
	t.mu.Lock()
	user := t.byID[id].user
	delete(t.byID, id)
	t.mu.Unlock()
	for s := range sockets.User(user).Sockets() {
		if s.Get("session") == id {
			s.Close(4401, "signed out")
		}
	}
}

// region authenticate

// authenticate finds the session of the request that opens a socket. The
// check of its origin has passed: a foreign page cannot use the cookie.
func (t *sessions) authenticate(r *http.Request) (finch.Identity, error) {
	c, err := r.Cookie("sid")
	if err != nil {
		return finch.Identity{}, finch.Errorf(401, "sign_in", "sign in first")
	}
	t.mu.Lock()
	found, ok := t.byID[c.Value]
	t.mu.Unlock()
	if !ok {
		return finch.Identity{}, finch.Errorf(401, "sign_in", "sign in again")
	}
	return finch.Identity{
		User:      found.user,
		ExpiresAt: found.expires,
		Values:    map[string]any{"session": c.Value},
	}, nil
}

// endregion

func newServer() http.Handler {
	t := &sessions{byID: map[string]session{}}
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Authenticate: t.authenticate,
		KeepHeaders:  []string{"Accept-Language", "User-Agent"}, // not the cookie
	})
	finch.OnRequest(sockets, "whoami", func(ctx context.Context, s *finch.Socket, _ any) (string, error) {
		return s.User(), nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /ws", sockets)
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("password") != "finch" { // stands for a real check
			http.Error(w, "wrong name or password", http.StatusUnauthorized)
			return
		}
		t.open(w, r.FormValue("user"))
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("sid"); err == nil {
			t.end(c.Value, sockets)
		}
	})
	return mux
}

func main() { log.Fatal(http.ListenAndServe("localhost:3000", newServer())) }
