package redis_test

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
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
	from := c.ownerOf(slot)
	to := c.begin(slot, from)
	c.carry(slot, from, to, 1<<20)
	c.finish(slot, from, to)
}

// begin begins to move a slot, and returns where to.
func (c *cluster) begin(slot uint16, from int) (to int) {
	c.t.Helper()
	to = (from + 1) % len(c.masters)
	c.masters[to].do("CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "IMPORTING", c.ids[from])
	c.masters[from].do("CLUSTER", "SETSLOT", strconv.Itoa(int(slot)), "MIGRATING", c.ids[to])
	return to
}

// carry moves about most keys of a slot that is moving.
func (c *cluster) carry(slot uint16, from, to, most int) {
	c.t.Helper()
	source, target := c.masters[from], c.masters[to]
	for moved := 0; moved < most; moved += 5 {
		keys := source.list("CLUSTER", "GETKEYSINSLOT", strconv.Itoa(int(slot)), "5")
		if len(keys) == 0 {
			break
		}
		source.do(append([]string{"MIGRATE", "127.0.0.1", strconv.Itoa(target.port), "", "0", "5000", "KEYS"}, keys...)...)
	}
}

// finish says that a slot has moved.
func (c *cluster) finish(slot uint16, from, to int) {
	c.t.Helper()
	text := strconv.Itoa(int(slot))
	c.masters[to].do("CLUSTER", "SETSLOT", text, "NODE", c.ids[to])
	c.masters[from].do("CLUSTER", "SETSLOT", text, "NODE", c.ids[to])
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

func TestClusterHasNoDatabases(t *testing.T) {
	c := startCluster(t, 3)
	o := c.options()
	o.Database = 1
	if took, err := startError(t, o, 10*time.Second); !strings.Contains(err.Error(), "no databases") || took > 5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
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
	if report.Tries != 0 {
		t.Errorf("%d publishes failed though all servers are there", report.Tries)
	}
}

// TestRoomsOfASlotThatIsMovingAreServed: between its two servers too.
func TestRoomsOfASlotThatIsMovingAreServed(t *testing.T) {
	c := startCluster(t, 3)
	o := c.options()
	o.Partitions, o.Timeout = 1, 500*time.Millisecond
	s := newStore(t, o)
	b := s.node("n", &brokertest.Inbox{})
	rooms := names("r", 300)
	open(t, b, rooms...)
	want := map[string]broker.Position{}
	for _, room := range rooms {
		want[room] = publish(t, b, room, "1", broker.PublishOptions{})
	}
	slot := redis.Slots(s.options)[0]
	from := c.ownerOf(slot)
	to := c.begin(slot, from)
	c.carry(slot, from, to, 5*20) // a part of the keys
	heads, _, err := b.Heads(t.Context(), append(rooms, "never"), "")
	if err != nil || len(heads) != len(rooms)+1 {
		t.Fatalf("%d heads, %v", len(heads), err)
	}
	for _, h := range heads[:len(rooms)] {
		if h.Position != want[h.Room] {
			t.Errorf("%s is at %v, want %v", h.Room, h.Position, want[h.Room])
		}
	}
	served, refused := 0, 0
	for _, room := range rooms {
		page, err := b.Read(t.Context(), room, broker.Range{From: want[room]})
		switch {
		case err == nil && page.Head == want[room] && len(page.Messages) == 1:
			served++
		case errors.Is(err, broker.ErrUnavailable): // its two keys are not on one side
			refused++
		default:
			t.Errorf("%s: %+v, %v", room, page, err)
		}
		if refused > 3 {
			break // each takes a while
		}
	}
	if served == 0 {
		t.Error("no room is served")
	}
	c.carry(slot, from, to, 1<<20)
	c.finish(slot, from, to)
	until(t, "all are served", func() bool {
		page, err := b.Read(t.Context(), rooms[0], broker.Range{From: want[rooms[0]]})
		return err == nil && len(page.Messages) == 1
	})
}

// addReplica adds a replica of a master.
func (c *cluster) addReplica(of int) *server {
	c.t.Helper()
	s := clusterNode(c.t, "--cluster-replica-validity-factor", "0")
	c.replica = append(c.replica, s)
	c.meet(s)
	c.awaitState()
	s.do("CLUSTER", "REPLICATE", c.ids[of])
	until(c.t, "the replica is in step", func() bool {
		return strings.Contains(s.do("INFO", "replication"), "master_link_status:up")
	})
	until(c.t, "all know the replica", func() bool {
		for _, m := range c.masters {
			if !strings.Contains(m.do("CLUSTER", "NODES"), "slave "+c.ids[of]) {
				return false
			}
		}
		return true
	})
	return s
}

func isMaster(s *server) bool {
	text, err := s.try("INFO", "replication")
	return err == nil && strings.Contains(text, "role:master")
}

func TestNothingIsLostUnseenWhenAMasterOfTheClusterDies(t *testing.T) {
	c := startCluster(t, 3, "--repl-diskless-sync-delay", "0")
	replica := c.addReplica(1)
	report := brokertest.Storm{Nodes: newStore(t, c.options()).nodes(3), MayReset: true, Disturb: func() {
		c.masters[1].kill()
		until(t, "the replica is the master", func() bool { return isMaster(replica) })
		until(t, "the cluster serves", func() bool {
			state, err := c.masters[0].try("CLUSTER", "INFO")
			return err == nil && strings.Contains(state, "cluster_state:ok")
		})
	}}.Run(t)
	t.Log(report)
	if report.Uncertain == 0 || report.Tries == 0 {
		t.Errorf("nobody noticed the failover: %v", report)
	}
}

// TestMasterThatBecomesAReplicaIsLeft: after a failover by hand the old master is
// still there, and goes on telling what it hears from the new one.
func TestMasterThatBecomesAReplicaIsLeft(t *testing.T) {
	c := startCluster(t, 3, "--repl-diskless-sync-delay", "0")
	replica := c.addReplica(2)
	s := newStore(t, c.options())
	nodes := s.nodes(2)
	for _, b := range nodes {
		redis.Hasten(b.(*redis.Broker), 500*time.Millisecond, 5*time.Second, 200*time.Millisecond)
	}
	report := brokertest.Storm{Nodes: nodes, Disturb: func() {
		replica.do("CLUSTER", "FAILOVER")
		until(t, "the replica is the master", func() bool { return isMaster(replica) })
		until(t, "nobody is subscribed to the old master", func() bool { return len(c.masters[2].list("PUBSUB", "SHARDCHANNELS")) == 0 })
	}}.Run(t)
	t.Log(report)
	if report.Uncertain == 0 {
		t.Error("no node noticed")
	}
}
