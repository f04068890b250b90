// Command chi mounts a manager in a chi router.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/examples/mount/whoami"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
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
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Handle("/ws", sockets)
	r.With(requireUser).Get("/rooms/{room}", func(w http.ResponseWriter, r *http.Request) {
		sockets.Upgrade(w, r, finch.WithIdentity(finch.Identity{ // an error has been answered already
			User:   r.Context().Value(userKey{}).(string),
			Values: map[string]any{"room": chi.URLParam(r, "room")},
		}))
	})
	// endregion
	return r
}

func main() { log.Fatal(http.ListenAndServe("localhost:3000", newRouter(whoami.New()))) }
