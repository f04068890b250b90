// Command notify sends live notifications from ordinary HTTP handlers: to all
// devices of one user, also to those that are just in a tunnel, and to everyone.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"time"

	"github.com/finch-go/finch"
)

// Notice is what a page shows in its corner.
type Notice struct {
	Title string `json:"title"`
}

// sessions stands for the program's own table of who is signed in.
var sessions = map[string]string{"sid-of-ann": "ann", "sid-of-bob": "bob"}

// region authenticate

// whoIs finds out who sent a request: the same for HTTP and for sockets.
func whoIs(r *http.Request) (finch.Identity, error) {
	c, err := r.Cookie("sid")
	if err != nil || sessions[c.Value] == "" {
		return finch.Identity{}, finch.Errorf(401, "sign_in", "sign in first")
	}
	return finch.Identity{User: sessions[c.Value]}, nil
}

// endregion

func newServer() (http.Handler, *finch.SocketManager) {
	// region manager
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: whoIs})
	sockets.DeclareUsers(finch.RoomOptions{HistorySize: 50, HistoryAge: 7 * 24 * time.Hour})
	// endregion
	mux := http.NewServeMux()
	mux.Handle("GET /ws", sockets)

	// region user
	mux.HandleFunc("POST /orders/{id}/courier", func(w http.ResponseWriter, r *http.Request) {
		notice := Notice{"Order " + r.PathValue("id") + " is in " + r.FormValue("place")}
		if err := sockets.SendToUser(r.FormValue("user"), "courier", notice); err != nil {
			http.Error(w, "the notice could not be sent", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	// endregion

	// region publish
	mux.HandleFunc("POST /orders/{id}/paid", func(w http.ResponseWriter, r *http.Request) {
		order := r.PathValue("id")
		_, err := sockets.User(r.FormValue("user")).Publish(r.Context(), "notice", Notice{"Order " + order + " is paid"},
			finch.WithKey("order-"+order+"-paid"))
		if err != nil { // whoever called tries again, and the key makes that harmless
			http.Error(w, "the notice could not be recorded", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	// endregion

	// region latest
	mux.HandleFunc("GET /notices", func(w http.ResponseWriter, r *http.Request) {
		who, err := whoIs(r)
		if err != nil {
			http.Error(w, "sign in first", http.StatusUnauthorized)
			return
		}
		list, _, err := sockets.User(who.User).Latest(r.Context(), finch.Position{}, 20)
		if err != nil {
			http.Error(w, "the notices cannot be read now", http.StatusServiceUnavailable)
			return
		}
		notices := make([]json.RawMessage, 0, len(list))
		for _, m := range list {
			notices = append(notices, m.Data)
		}
		json.NewEncoder(w).Encode(notices)
	})
	// endregion

	// region all
	mux.HandleFunc("POST /announce", func(w http.ResponseWriter, r *http.Request) {
		if err := sockets.SendToAll("notice", Notice{r.FormValue("title")}); err != nil {
			http.Error(w, "the notice could not be sent", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	// endregion
	return mux, sockets
}

func main() {
	// The addresses that send are for the program's own services: put them
	// behind whatever keeps others out.
	server, _ := newServer()
	log.Fatal(http.ListenAndServe("localhost:3000", server))
}
