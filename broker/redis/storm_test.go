package redis_test

import (
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// nodes makes brokers for a storm, which look at things often.
func (s *store) nodes(n int) []broker.Broker {
	var nodes []broker.Broker
	for range n {
		nodes = append(nodes, redis.New(s.options))
	}
	return nodes
}

func TestNothingIsLostWithoutASound(t *testing.T) {
	s := startServer(t)
	report := brokertest.Storm{Nodes: newStore(t, redis.Options{Addresses: []string{s.address()}}).nodes(3)}.Run(t)
	t.Log(report)
}
