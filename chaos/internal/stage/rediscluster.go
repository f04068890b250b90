package stage

import (
	"context"
	"fmt"
	"strings"

	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/internal/child"
)

// clusterMasters is how many masters a Cluster has; each has one replica.
const clusterMasters = 3

// RedisCluster is a Redis Cluster whose replicas take over from masters that are
// gone for two seconds, however far behind they are.
type RedisCluster struct {
	*fleet
	buses []int // ports between the servers
}

var _ Replicated = (*RedisCluster)(nil)

// NewRedisCluster finds the program, and ports.
func NewRedisCluster(dir string, draw func() float64) (*RedisCluster, error) {
	f, err := newFleet(dir, 2*clusterMasters, clusterMasters, draw)
	if err != nil {
		return nil, err
	}
	c := &RedisCluster{fleet: f}
	if c.buses, err = child.FreePorts(len(f.ports)); err != nil {
		return nil, err
	}
	f.args = func(i int) []string {
		bus := fmt.Sprint(c.buses[i])
		return []string{
			"--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", bus, "--cluster-replica-validity-factor", "0",
			"--cluster-announce-ip", "127.0.0.1", "--cluster-announce-port", fmt.Sprint(f.links[i].Port()), "--cluster-announce-bus-port", bus,
		}
	}
	return c, nil
}

// Start is documented at [Store].
func (c *RedisCluster) Start(ctx context.Context) error {
	for i := range c.ports {
		if err := c.Restart(i); err != nil {
			return err
		}
		if err := awaits(ctx, "a server does not answer", func() error { _, err := call(ctx, c.ports[i], "PING"); return err }); err != nil {
			return err
		}
		commands := [][]string{{"CLUSTER", "SET-CONFIG-EPOCH", fmt.Sprint(i + 1)}}
		if i < clusterMasters {
			commands = append(commands, []string{"CLUSTER", "ADDSLOTSRANGE", fmt.Sprint(i * 16384 / clusterMasters), fmt.Sprint((i+1)*16384/clusterMasters - 1)})
		}
		if i > 0 {
			commands = append(commands, []string{"CLUSTER", "MEET", "127.0.0.1", fmt.Sprint(c.ports[0]), fmt.Sprint(c.buses[0])})
		}
		for _, command := range commands {
			if _, err := call(ctx, c.ports[i], command...); err != nil {
				return err
			}
		}
	}
	if err := awaits(ctx, "the servers do not know each other", func() error { return c.agree(ctx) }); err != nil {
		return err
	}
	for i := range clusterMasters {
		id, err := call(ctx, c.ports[i], "CLUSTER", "MYID")
		if err != nil {
			return err
		}
		if _, err := call(ctx, c.ports[clusterMasters+i], "CLUSTER", "REPLICATE", id); err != nil {
			return err
		}
	}
	return c.Well(ctx)
}

// agree says which server does not know all others, or does not serve.
func (c *RedisCluster) agree(ctx context.Context) error {
	for i, port := range c.ports {
		info, err := call(ctx, port, "CLUSTER", "INFO")
		if err != nil {
			return err
		}
		if state, known := field(info, "cluster_state"), field(info, "cluster_known_nodes"); state != "ok" || known != fmt.Sprint(len(c.ports)) {
			return fmt.Errorf("r%d: the state is %q, and %s servers are known", i, state, known)
		}
	}
	return nil
}

// Node is documented at [Store].
func (c *RedisCluster) Node(int) server.Node {
	var more []string
	for _, p := range c.links[1:] {
		more = append(more, "addr="+p.Address())
	}
	return server.Node{Broker: "redis", URL: "redis://" + c.links[0].Address() + "?" + strings.Join(more, "&")}
}

// Well is documented at [Store].
func (c *RedisCluster) Well(ctx context.Context) error {
	return awaits(ctx, "the Cluster is not well", func() error {
		if err := c.inStep(ctx); err != nil {
			return err
		}
		return c.agree(ctx)
	})
}

// Promoted is documented at [Replicated]: as many others are masters as there should
// be, and the slots are served.
func (c *RedisCluster) Promoted(ctx context.Context, old int) error {
	return awaits(ctx, "no replica was promoted", func() error {
		masters := 0
		for i, info := range c.roles(ctx) {
			if i == old || field(info, "role") != "master" {
				continue
			}
			masters++
			state, err := call(ctx, c.ports[i], "CLUSTER", "INFO")
			if err != nil || field(state, "cluster_state") != "ok" {
				return fmt.Errorf("r%d does not serve: %w", i, err)
			}
		}
		if masters != clusterMasters {
			return fmt.Errorf("%d servers are masters", masters)
		}
		return nil
	})
}
