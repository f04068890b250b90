//go:build !race

package virtual_test

import (
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

func TestEmbeddedServerKeepsTheWholeContract(t *testing.T) {
	for _, alone := range []bool{false, true} {
		name := "several nodes"
		if alone {
			name = "one node"
		}
		t.Run(name, func(t *testing.T) {
			brokertest.RunVirtual(t, func(t *testing.T) *brokertest.Store {
				first := embedded.New(embedded.Options{Dir: t.TempDir(), Logger: servers.Quiet})
				used := false
				return &brokertest.Store{
					Node: func() broker.Broker {
						if used {
							return first.Node()
						}
						used = true
						return first
					},
					LoseTail: func(room string, n int) { servers.LoseTail(t, servers.Connect(t, first), "finch", room, n) },
					Alone:    alone,
				}
			})
		})
	}
}
