// Command requests shows questions in both directions: the client asks the
// server, and the server asks the client before it does what was asked.
package main

import (
	"context"
	"log"
	"net/http"
	"time"

	"github.com/finch-go/finch"
)

// region types

// Sum asks for a sum.
type Sum struct {
	Terms []int `json:"terms"`
}

// Total answers it.
type Total struct {
	Total int `json:"total"`
}

// endregion

// Deletion names a file.
type Deletion struct {
	Name string `json:"name"`
}

func newSockets() *finch.SocketManager {
	sockets := finch.NewSocketManager(nil)

	// region request
	finch.OnRequest(sockets, "sum", func(ctx context.Context, s *finch.Socket, in Sum) (Total, error) {
		if len(in.Terms) == 0 {
			return Total{}, finch.Errorf(422, "no_terms", "a sum needs at least one term")
		}
		var out Total
		for _, n := range in.Terms {
			out.Total += n
		}
		return out, nil
	})
	// endregion

	// region ask
	finch.On(sockets, "delete", func(ctx context.Context, s *finch.Socket, in Deletion) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		sure, err := finch.Ask[string, bool](ctx, s, "confirm", "Delete "+in.Name+"?")
		if err != nil {
			return finch.Errorf(408, "not_confirmed", "%s stays: nobody confirmed", in.Name)
		}
		if !sure {
			return finch.Errorf(409, "kept", "%s stays", in.Name)
		}
		return sockets.SendToAll("deleted", in)
	})
	// endregion

	// region binary
	finch.On(sockets, "photo", func(ctx context.Context, s *finch.Socket, jpeg []byte) error {
		return sockets.SendToAll("photo", jpeg, finch.Except(s))
	})
	// endregion

	// region status
	finch.On(sockets, "print", func(ctx context.Context, s *finch.Socket, file string) error {
		return s.Send("printing", file, finch.WithStatus(http.StatusAccepted))
	})
	// endregion
	return sockets
}

func main() {
	http.Handle("/ws", newSockets())
	log.Fatal(http.ListenAndServe("localhost:3000", nil))
}
