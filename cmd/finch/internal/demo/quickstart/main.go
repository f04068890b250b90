package main

import (
	"context"
	"net/http"

	"github.com/finch-go/finch"
)

func main() {
	sockets := finch.NewSocketManager(nil)
	finch.On(sockets, "chat", func(ctx context.Context, s *finch.Socket, line string) error {
		return sockets.SendToAll("chat", line)
	})
	http.Handle("/ws", sockets)
	http.Handle("/", http.FileServer(http.Dir("web")))
	panic(http.ListenAndServe("localhost:3000", nil))
}
