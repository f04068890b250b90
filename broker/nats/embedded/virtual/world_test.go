//go:build !race

package virtual_test

import (
	"runtime"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// A world is a server in a bubble, and a node that is there from the beginning.
type world struct {
	*servers.Box
	node *nats.Broker
}

// bubble runs a test in a bubble. nats.go keeps timers for its next connections,
// those of this program's other bubbles too, which end the program when they are
// used here; what is kept so lasts for two collections.
func bubble(t *testing.T, test func(t *testing.T)) {
	runtime.GC()
	runtime.GC()
	synctest.Test(t, test)
}

// virtually runs a test in a world of its own.
func virtually(t *testing.T, test func(t *testing.T, s world)) {
	bubble(t, func(t *testing.T) {
		s := world{Box: servers.NewBox(t)}
		s.node, _ = servers.Wired(s, nats.Options{})
		servers.Start(t, s.node, "server")
		test(t, s)
	})
}
