// Command server is a Finch server for the tests of the TypeScript client. It
// prints its address, and stops when its standard input ends, which sends its
// clients away in good order.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/finch-go/finch"
)

func main() {
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Authenticate: func(r *http.Request) (finch.Identity, error) {
			user := finch.Token(r)
			if user == "" {
				return finch.Identity{}, nil
			}
			if user == "nobody" {
				return finch.Identity{}, finch.Errorf(401, "unauthorized", "nobody is nobody")
			}
			return finch.Identity{User: user}, nil
		},
		DrainWindow: 500 * time.Millisecond,
	})
	sockets.DeclareRooms("chat:{id}", finch.RoomOptions{
		HistorySize: 10_000, HistoryAge: time.Hour, Presence: true,
		CanJoin: func(ctx context.Context, s *finch.Socket, room string) error {
			if room == "chat:secret" {
				return finch.Errorf(403, "not_invited", "ask somebody to invite you")
			}
			return nil
		},
		CanPublish: func(ctx context.Context, s *finch.Socket, room string, m *finch.Message) error { return nil },
	})
	sockets.DeclareRooms("short", finch.RoomOptions{
		HistorySize: 3,
		CanJoin:     func(ctx context.Context, s *finch.Socket, room string) error { return nil },
		CanPublish:  func(ctx context.Context, s *finch.Socket, room string, m *finch.Message) error { return nil },
	})
	sockets.DeclareRooms("staff", finch.RoomOptions{HistorySize: 100})
	finch.OnRequest(sockets, "staff", func(ctx context.Context, s *finch.Socket, in any) (any, error) {
		return nil, s.Join(ctx, "staff")
	})
	finch.OnRequest(sockets, "double", func(ctx context.Context, s *finch.Socket, in int) (int, error) { return 2 * in, nil })
	finch.OnRequest(sockets, "mirror", func(ctx context.Context, s *finch.Socket, in []byte) ([]byte, error) { return in, nil })
	finch.OnRequest(sockets, "ask me", func(ctx context.Context, s *finch.Socket, in any) (string, error) {
		return finch.Ask[any, string](ctx, s, "who", nil)
	})

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := &http.Server{Handler: sockets, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(listener)
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	sockets.Shutdown(ctx)
}
