// Command publishapi lets programs in any language send and publish through this
// one, over HTTP.
package main

import (
	"log"
	"net/http"
	"os"
	"time"

	"github.com/finch-go/finch"
)

func newServer(token string) (http.Handler, *finch.SocketManager) {
	sockets := finch.NewSocketManager(nil)
	sockets.DeclareRooms("news:{topic}", finch.RoomOptions{
		HistorySize: 50, HistoryAge: time.Hour,
		CanJoin: finch.Anybody,
	})

	// region mount
	mux := http.NewServeMux()
	mux.Handle("GET /ws", sockets)
	mux.Handle("POST /publish", sockets.PublishAPI(token))
	// endregion
	return mux, sockets
}

func main() {
	token := os.Getenv("PUBLISH_TOKEN")
	if len(token) < 16 {
		log.Fatal("set PUBLISH_TOKEN to a secret of 16 bytes or more, such as the output of: openssl rand -hex 32")
	}
	server, _ := newServer(token)
	log.Fatal(http.ListenAndServe("localhost:3000", server))
}
