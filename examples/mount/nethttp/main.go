// Command nethttp mounts a manager in a program of net/http alone.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/examples/mount/whoami"
)

type userKey struct{}

// requireUser stands for the program's own authentication.
func requireUser(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := r.Header.Get("X-User")
		if user == "" {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, user)))
	})
}

func newRouter(sockets *finch.SocketManager) http.Handler {
	// region mount
	mux := http.NewServeMux()
	mux.Handle("/ws", sockets)
	mux.Handle("GET /rooms/{room}", requireUser(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sockets.Upgrade(w, r, finch.WithIdentity(finch.Identity{ // an error has been answered already
			User:   r.Context().Value(userKey{}).(string),
			Values: map[string]any{"room": r.PathValue("room")},
		}))
	})))
	// endregion
	return mux
}

func main() { log.Fatal(http.ListenAndServe("localhost:3000", newRouter(whoami.New()))) }
