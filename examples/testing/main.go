// Command testing counts votes and has rooms to talk about them, and its tests
// show how to test both without a port, a browser or a pause.
package main

import (
	"context"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// Vote is what a page sends.
type Vote struct {
	For string `json:"for"`
}

func newSockets() *finch.SocketManager {
	sockets := finch.NewSocketManager(nil)
	var mu sync.Mutex // handlers of different sockets run at the same time
	votes := map[string]int{}
	voted := map[string]bool{}
	// region vote
	finch.On(sockets, "vote", func(ctx context.Context, s *finch.Socket, in Vote) error {
		mu.Lock()
		defer mu.Unlock()
		if voted[s.User()] {
			return finch.Errorf(409, "voted", "%s has voted already", s.User())
		}
		voted[s.User()] = true
		votes[in.For]++
		return sockets.SendToAll("votes", votes)
	})
	// endregion
	// region rooms
	sockets.DeclareRooms("talk:{about}", finch.RoomOptions{
		HistorySize: 100, HistoryAge: time.Hour, Presence: true,
		CanJoin: finch.Anybody, CanPublish: finch.AnyMember,
	})
	// endregion
	return sockets
}

func main() {
	http.Handle("/ws", newSockets())
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
