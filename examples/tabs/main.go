// Command tabs is a page whose tabs share one connection: a note that is written
// in one of them is there in all, and the server knows the browser once.
package main

import (
	"embed"
	"log"
	"net/http"

	"github.com/finch-go/finch"
)

//go:embed index.html
var pages embed.FS

func newSockets() *finch.SocketManager {
	sockets := finch.NewSocketManager(nil)
	sockets.DeclareRooms("notes", finch.RoomOptions{HistorySize: 100, CanJoin: finch.Anybody, CanPublish: finch.AnyMember})
	return sockets
}

func newServer(sockets *finch.SocketManager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /ws", sockets)
	// region script
	mux.Handle("GET /finch.js", finch.ClientScript())
	mux.Handle("GET /finch-tabs.js", finch.TabsScript())
	// endregion
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pages, "index.html") })
	return mux
}

func main() { log.Fatal(http.ListenAndServe("localhost:3000", newServer(newSockets()))) }
