package redis_test

import (
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// nodes makes brokers for a storm.
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

// TestStoreThatIsEmptiedBeginsAnew: nobody is stuck, and nobody goes on from a
// position that is not there any more.
func TestStoreThatIsEmptiedBeginsAnew(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	nodes := []broker.Broker{st.hasty(), st.hasty(), st.hasty()}
	report := brokertest.Storm{Nodes: nodes, MayReset: true, Disturb: func() { s.do("FLUSHALL") }}.Run(t)
	t.Log(report)
	if report.Resets == 0 || report.Uncertain < 3 {
		t.Errorf("nobody noticed: %v", report)
	}
}

func TestServerThatIsRestartedInAStorm(t *testing.T) {
	s := newServer(t)
	run := func() {
		s.launch("--save", "", "--appendonly", "yes", "--appendfsync", "always")
		s.awaitReady()
	}
	run()
	report := brokertest.Storm{Nodes: newStore(t, redis.Options{Addresses: []string{s.address()}}).nodes(3), Disturb: func() {
		s.kill()
		run()
	}}.Run(t)
	t.Log(report)
	if report.Uncertain < 3 || report.Tries == 0 {
		t.Errorf("nobody noticed: %v", report)
	}
}
