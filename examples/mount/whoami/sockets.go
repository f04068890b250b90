// Package whoami is the sockets that the programs of examples/mount lead to:
// they answer who somebody is.
package whoami

import (
	"context"
	"fmt"

	"github.com/finch-go/finch"
)

// New returns a manager with one event, whoami.
func New() *finch.SocketManager {
	sockets := finch.NewSocketManager(nil)
	finch.OnRequest(sockets, "whoami", func(ctx context.Context, s *finch.Socket, _ any) (string, error) {
		room, ok := s.Get("room").(string)
		if !ok {
			return "nobody in no room", nil
		}
		return fmt.Sprintf("%s in room %s", s.User(), room), nil
	})
	return sockets
}
