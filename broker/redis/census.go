package redis

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// A census is which nodes live, as this node last heard.
type census struct {
	mu    sync.Mutex
	me    broker.NodeState
	nodes map[string]broker.NodeState // the others, by id
	// frozenUntil: after a time in which nobody could renew a lease, those who have
	// not come back yet are given the length of a lease to do so.
	frozenUntil time.Time
}

func (c *census) self() broker.NodeState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.me
}

func (c *census) begin(me broker.NodeState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.me = me
	if c.nodes == nil {
		c.nodes = map[string]broker.NodeState{}
	}
}

func (c *census) freeze(until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozenUntil = until
}

// find returns the node of this id that lives, as far as is known.
func (c *census) find(id string) (broker.NodeState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == c.me.ID {
		return c.me, true
	}
	n, ok := c.nodes[id]
	return n, ok
}

// all returns the nodes that live, this one included, by id.
func (c *census) all() []broker.NodeState {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []broker.NodeState{c.me}
	for _, n := range c.nodes {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b broker.NodeState) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// update takes over who lives now and returns the news.
func (c *census) update(live []broker.NodeState, now time.Time) (up, down []broker.NodeState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[string]bool{}
	for _, n := range live {
		if n.ID == c.me.ID {
			continue
		}
		seen[n.ID] = true
		old, known := c.nodes[n.ID]
		if old == n {
			continue
		}
		c.nodes[n.ID] = n
		up = append(up, n)
		if known {
			down = append(down, old)
		}
	}
	if now.Before(c.frozenUntil) {
		return up, down
	}
	for id, n := range c.nodes {
		if !seen[id] {
			delete(c.nodes, id)
			down = append(down, n)
		}
	}
	return up, down
}

// Nodes is documented at broker.Broker. It is as new as the last heartbeat, or
// the news of a node that came or went.
func (b *Broker) Nodes() []broker.NodeState {
	if !b.started.Load() {
		return nil
	}
	return b.census.all()
}

// lives reports whether a node lives.
func (b *Broker) lives(ctx context.Context, id string) bool {
	_, ok := b.find(ctx, id)
	return ok
}

// find returns the node of this id that lives; one that is not known may just
// have come.
func (b *Broker) find(ctx context.Context, id string) (broker.NodeState, bool) {
	if n, ok := b.census.find(id); ok {
		return n, true
	}
	_, live, err := b.lease(ctx, "look", b.census.self().Incarnation)
	if i := slices.IndexFunc(live, func(n broker.NodeState) bool { return n.ID == id }); err == nil && i >= 0 {
		return live[i], true
	}
	return broker.NodeState{}, false
}

// lease does something about this node's lease, and returns what came of it (see
// scripts/lease.lua) and who lives.
func (b *Broker) lease(ctx context.Context, what, incarnation string) (done int64, live []broker.NodeState, err error) {
	lasts := strconv.FormatInt(b.rhythm.lease.Milliseconds(), 10)
	answer, err := leaseScript.Exec(ctx, b.client(), []string{b.names.system("leases")}, []string{what, b.node, incarnation, lasts}).ToArray()
	if err != nil {
		return 0, nil, err
	}
	if len(answer) == 0 {
		return 0, nil, errBadRecord
	}
	if done, err = answer[0].AsInt64(); err != nil {
		return 0, nil, err
	}
	for _, item := range answer[1:] {
		member, err := item.ToString()
		if err != nil {
			return 0, nil, err
		}
		if n, ok := parseMember(member); ok {
			live = append(live, n)
		}
	}
	return done, live, nil
}
