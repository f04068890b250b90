// Command chat is a chat server with its page: everyone sees every line.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/finch-go/finch"
)

// Line is what somebody says.
type Line struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func newSockets() *finch.SocketManager {
	sockets := finch.NewSocketManager(nil)
	finch.On(sockets, "chat", func(ctx context.Context, s *finch.Socket, in Line) error {
		if in.Text == "" {
			return finch.Errorf(422, "empty", "write something first")
		}
		return sockets.SendToAll("chat", in)
	})
	return sockets
}

func main() {
	http.Handle("/ws", newSockets())
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, "index.html") })
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
