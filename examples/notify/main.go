// Command notify sends live notifications from ordinary HTTP handlers: to all
// devices of one user, and to everyone.
package main

import (
	"log"
	"net/http"

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

func newServer() http.Handler {
	// region manager
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{Authenticate: whoIs})
	// endregion
	mux := http.NewServeMux()
	mux.Handle("GET /ws", sockets)

	// region user
	mux.HandleFunc("POST /orders/{id}/paid", func(w http.ResponseWriter, r *http.Request) {
		notice := Notice{"Order " + r.PathValue("id") + " is paid"}
		if err := sockets.SendToUser(r.FormValue("user"), "notice", notice); err != nil {
			http.Error(w, "the notice could not be sent", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
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
	return mux
}

func main() {
	// The two addresses that send are for the program's own services: put
	// them behind whatever keeps others out.
	log.Fatal(http.ListenAndServe("localhost:3000", newServer()))
}
