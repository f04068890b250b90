//go:build !race

package virtual_test

import (
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

// virtually runs a test in a world of its own.
func virtually(t *testing.T, test func(t *testing.T, s world)) {
	synctest.Test(t, func(t *testing.T) {
		s := world{Box: servers.NewBox(t)}
		s.node, _ = servers.Wired(s, nats.Options{})
		servers.Start(t, s.node, "server")
		test(t, s)
	})
}
