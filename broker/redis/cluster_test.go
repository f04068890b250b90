package redis_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// A cluster is a Redis Cluster on the loopback.
type cluster struct {
	t       testing.TB
	masters []*server
	ids     []string // of the masters
	replica []*server
}

// startCluster starts masters that share the slots evenly.
func startCluster(t testing.TB, masters int, args ...string) *cluster {
	t.Helper()
	c := &cluster{t: t}
	for i := range masters {
		s := clusterNode(t, args...)
		c.masters = append(c.masters, s)
		s.do("CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(i*16384/masters), strconv.Itoa((i+1)*16384/masters-1))
		s.do("CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i+1))
		c.ids = append(c.ids, s.do("CLUSTER", "MYID"))
		c.meet(s)
	}
	c.awaitState()
	return c
}

func clusterNode(t testing.TB, args ...string) *server {
	t.Helper()
	s := newServer(t, append([]string{"--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", strconv.Itoa(freePort(t))}, args...)...)
	s.start()
	return s
}

func (c *cluster) meet(s *server) {
	c.t.Helper()
	if first := c.masters[0]; first != s {
		i := slices.Index(first.args, "--cluster-port")
		s.do("CLUSTER", "MEET", "127.0.0.1", strconv.Itoa(first.port), first.args[i+1])
	}
}

// awaitState waits until every node knows every other and serves.
func (c *cluster) awaitState() {
	c.t.Helper()
	all := slices.Concat(c.masters, c.replica)
	until(c.t, "the cluster serves", func() bool {
		for _, s := range all {
			state, err := s.try("CLUSTER", "INFO")
			if err != nil || !strings.Contains(state, "cluster_state:ok") || !strings.Contains(state, fmt.Sprint("cluster_known_nodes:", len(all), "\r\n")) {
				return false
			}
		}
		return true
	})
}

func (c *cluster) options() redis.Options {
	return redis.Options{Addresses: []string{c.masters[0].address(), c.masters[1].address()}}
}

func TestClusterKeepsTheContract(t *testing.T) {
	c := startCluster(t, 3)
	brokertest.Run(t, func(t *testing.T) *brokertest.Store {
		return newStore(t, c.options()).contract()
	})
}
