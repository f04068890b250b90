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

// move moves a slot with all that it holds from its owner to the next master, as
// redis-cli does it: key by key, while it is used.
func (c *cluster) move(slot uint16) {
	c.t.Helper()
	text := strconv.Itoa(int(slot))
	from := c.ownerOf(slot)
	to := (from + 1) % len(c.masters)
	source, target := c.masters[from], c.masters[to]
	target.do("CLUSTER", "SETSLOT", text, "IMPORTING", c.ids[from])
	source.do("CLUSTER", "SETSLOT", text, "MIGRATING", c.ids[to])
	for {
		keys := source.list("CLUSTER", "GETKEYSINSLOT", text, "5")
		if len(keys) == 0 {
			break
		}
		source.do(append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(target.port), "", "0", "5000", "KEYS"}, keys...)...)
	}
	target.do("CLUSTER", "SETSLOT", text, "NODE", c.ids[to])
	source.do("CLUSTER", "SETSLOT", text, "NODE", c.ids[to])
	for i, s := range c.masters {
		if i != from && i != to {
			s.do("CLUSTER", "SETSLOT", text, "NODE", c.ids[to])
		}
	}
}

func (c *cluster) ownerOf(slot uint16) int {
	c.t.Helper()
	for i, s := range c.masters {
		for line := range strings.Lines(s.do("CLUSTER", "NODES")) {
			if !strings.Contains(line, "myself") {
				continue
			}
			for _, part := range strings.Fields(line)[8:] {
				low, high, ok := strings.Cut(part, "-")
				if !ok {
					high = low
				}
				first, err1 := strconv.Atoi(low)
				last, err2 := strconv.Atoi(high)
				if err1 == nil && err2 == nil && first <= int(slot) && int(slot) <= last {
					return i
				}
			}
		}
	}
	c.t.Fatalf("nobody owns slot %d", slot)
	return 0
}

func TestNothingIsLostWhileSlotsMove(t *testing.T) {
	c := startCluster(t, 3)
	o := c.options()
	o.Partitions = 4
	s := newStore(t, o)
	report := brokertest.Storm{Nodes: s.nodes(3), Disturb: func() {
		for _, slot := range redis.Slots(s.options) {
			c.move(slot)
		}
	}}.Run(t)
	t.Log(report)
	if report.Uncertain == 0 {
		t.Error("no node was told that a slot had moved")
	}
}
