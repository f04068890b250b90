package embedded_test

import (
	"fmt"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	natsgo "github.com/nats-io/nats.go"
)

// What needs another clock is tested in package virtual.
func TestEmbeddedServerKeepsTheContract(t *testing.T) {
	for _, alone := range []bool{false, true} {
		name := "several nodes"
		if alone {
			name = "one node"
		}
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T) *brokertest.Store {
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
					LoseTail:  func(room string, n int) { servers.LoseTail(t, servers.Connect(t, first), "finch", room, n) },
					Alone:     alone,
					Elsewhere: true,
				}
			})
		})
	}
}

func TestServersKeepTheContract(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			c := servers.NewCluster(t, n, nil)
			conn, err := natsgo.Connect(c.URLs(0))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			brokertest.Run(t, func(t *testing.T) *brokertest.Store {
				ns := servers.NewNamespace()
				t.Cleanup(func() { servers.RemoveNamespace(t, conn, ns) })
				next := 0
				return &brokertest.Store{
					Node: func() broker.Broker {
						next++ // each node is connected to another server
						return nats.New(nats.Options{URL: c.URL(next % n), Namespace: ns, Partitions: 1 + n%3, Logger: servers.Quiet, Connect: []natsgo.Option{natsgo.DontRandomize()}})
					},
					LoseTail:  func(room string, n int) { servers.LoseTail(t, conn, ns, room, n) },
					Elsewhere: true,
				}
			})
		})
	}
}
