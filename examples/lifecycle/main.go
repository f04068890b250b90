// Command lifecycle prints the life of each socket: who runs when, and what
// an error does.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/finch-go/finch"
)

func newSockets(diary io.Writer) *finch.SocketManager {
	// region manager
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Event: finch.SocketEvent{
			OnConnect: func(ctx context.Context, s *finch.Socket) error {
				fmt.Fprintln(diary, "manager: connected, one of", s.Manager().CountClients())
				return nil
			},
			OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
				fmt.Fprintln(diary, "manager: no route has", m.Path)
				return finch.Errorf(404, "unknown", "there is no %s here", m.Path)
			},
			OnError: func(ctx context.Context, s *finch.Socket, err error) {
				fmt.Fprintln(diary, "manager: error:", err)
			},
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				fmt.Fprintln(diary, "manager: gone with", why.Code, "- left:", s.Manager().CountClients())
			},
		},
		Routes: map[string]finch.SocketEvent{
			"chat": {
				OnConnect: func(ctx context.Context, s *finch.Socket) error {
					fmt.Fprintln(diary, "chat: connected")
					return nil
				},
				OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
					fmt.Fprintln(diary, "chat: message")
					return errors.New("the database is away") // for the log, not for the client
				},
				OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
					fmt.Fprintln(diary, "chat: gone")
				},
			},
		},
	})
	// endregion
	return sockets
}

func main() {
	http.Handle("/ws", newSockets(os.Stdout))
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
