// Command rooms is a chat with rooms: the server decides who joins what.
package main

import (
	"context"
	"log"
	"net/http"

	"github.com/finch-go/finch"
)

// Joining asks for a room.
type Joining struct {
	Room string `json:"room"`
}

// Joined answers it.
type Joined struct {
	Members int `json:"members"`
}

// Line is what somebody says in a room.
type Line struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

func newSockets() *finch.SocketManager {
	// region leave
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Event: finch.SocketEvent{
			OnDisconnect: func(ctx context.Context, s *finch.Socket, why finch.CloseReason) {
				if room, ok := s.Get("room").(string); ok {
					s.Manager().Room(room).Send("left", s.ID())
				}
			},
		},
	})
	// endregion

	// region join
	finch.OnRequest(sockets, "join", func(ctx context.Context, s *finch.Socket, in Joining) (Joined, error) {
		if in.Room == "staff" && s.User() == "" {
			return Joined{}, finch.Errorf(403, "staff_only", "sign in to join %s", in.Room)
		}
		if before, ok := s.Get("room").(string); ok {
			if err := s.Leave(ctx, before); err != nil {
				return Joined{}, err
			}
		}
		if err := s.Join(ctx, in.Room); err != nil {
			return Joined{}, err
		}
		s.Set("room", in.Room)
		members, err := sockets.Room(in.Room).Count(ctx)
		return Joined{members}, err
	})
	// endregion

	// region say
	finch.On(sockets, "say", func(ctx context.Context, s *finch.Socket, in Line) error {
		room, ok := s.Get("room").(string)
		if !ok {
			return finch.Errorf(409, "no_room", "join a room first")
		}
		return sockets.Room(room).Send("line", in, finch.Except(s))
	})
	// endregion

	// region empty
	finch.OnRequest(sockets, "empty", func(ctx context.Context, s *finch.Socket, in Joining) (int, error) {
		if s.User() != "admin" {
			return 0, finch.Errorf(403, "admin_only", "only the admin may empty a room")
		}
		closed := sockets.Room(in.Room).CloseSockets(4000, "this room is closed")
		return closed, nil
	})
	// endregion
	return sockets
}

func main() {
	http.Handle("/ws", newSockets())
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
