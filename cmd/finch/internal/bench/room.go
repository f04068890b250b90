package bench

import (
	"context"
	"fmt"
	"sync/atomic"
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

// newTensManager makes the manager at /tens: each socket is in three rooms of
// ten, which say who is in them.
func newTensManager(o *finch.SocketManagerOptions) *finch.SocketManager {
	var sockets atomic.Int64
	o.Event.OnConnect = func(ctx context.Context, s *finch.Socket) error {
		n := sockets.Add(1) - 1
		for room := range 3 {
			if err := s.Join(ctx, fmt.Sprintf("tens:%d:%d", room, n/10)); err != nil {
				return err
			}
		}
		return nil
	}
	m := finch.NewSocketManager(o)
	m.DeclareRooms("tens:{kind}:{n}", finch.RoomOptions{HistorySize: 100, HistoryAge: 5 * time.Minute, Presence: true, CanJoin: finch.Anybody})
	return m
}
