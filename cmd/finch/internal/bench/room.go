package bench

import (
	"context"
	"time"

	"github.com/finch-go/finch"
)

// roomNames are the rooms at /room: bench alone, or many of them.
var roomNames = []string{"bench", "bench:{n}"}

// newRoomManager makes the manager at /room: each socket is in one room.
func newRoomManager(o *finch.SocketManagerOptions) *finch.SocketManager {
	o.Event.OnConnect = func(ctx context.Context, s *finch.Socket) error {
		room := s.Request().URL().Query().Get("room")
		if room == "" {
			room = roomNames[0]
		}
		s.Set("room", room)
		return s.Join(ctx, room)
	}
	o.Routes = map[string]finch.SocketEvent{
		"room": {OnMessage: func(_ context.Context, s *finch.Socket, m *finch.Message) error {
			return s.Manager().Room(roomOf(s)).Send("room", payloadOf(m))
		}},
		"publish": {OnMessage: func(ctx context.Context, s *finch.Socket, m *finch.Message) error {
			_, err := s.Manager().Room(roomOf(s)).Publish(ctx, "publish", payloadOf(m))
			return err
		}},
	}
	m := finch.NewSocketManager(o)
	for _, name := range roomNames {
		m.DeclareRooms(name, finch.RoomOptions{HistorySize: 1000, HistoryAge: 5 * time.Minute, CanJoin: finch.Anybody, CanPublish: finch.AnyMember})
	}
	return m
}

// roomOf is the room that a socket named when it connected.
func roomOf(s *finch.Socket) string {
	room, _ := s.Get("room").(string)
	return room
}
