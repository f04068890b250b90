package finch_test

import (
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
)

// newCluster returns managers on nodes of one store, and what makes each node's
// connection fail.
func newCluster(t *testing.T, n int, events func(node int) finch.SessionEvent) (nodes []*finch.SocketManager, faulty []*brokertest.FaultyBroker) {
	cluster := memory.NewCluster(nil)
	for i := range n {
		b := brokertest.Faulty(cluster.Node(), uint64(i), brokertest.Faults{})
		o := &finch.SocketManagerOptions{Broker: joined{b}, Secret: []byte("secret of a test"), NodeID: string(rune('a' + i)), Grace: 10 * time.Second}
		if events != nil {
			o.Session = events(i)
		}
		nodes, faulty = append(nodes, newChat(o)), append(faulty, b)
	}
	return nodes, faulty
}
