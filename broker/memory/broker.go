package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/finch-go/finch/broker"
)

// A Broker is one node's part of a Cluster. It implements broker.Broker.
//
// Deliver is called by whoever publishes, while the lock of the room's shard is
// held: a message is with every node of the process when Publish returns.
type Broker struct {
	cluster *Cluster
	alone   bool        // made by New
	started atomic.Bool // between Start and Close

	// Set by Start and not changed afterwards.
	state    broker.NodeState
	sink     broker.Sink
	slot     int
	profiles map[string]*broker.Profile
	life     context.Context // ends with Close
	end      context.CancelFunc

	used    bool           // started once; guarded by the cluster's lock
	answers sync.WaitGroup // Answers that run; added to under the cluster's lock

	sending sync.Mutex // keeps the order of what this node sends

	sharing sync.Mutex
	shares  map[string]int
}

var _ broker.Broker = (*Broker)(nil)

func newBroker(c *Cluster) *Broker {
	b := &Broker{cluster: c, shares: map[string]int{}}
	b.life, b.end = context.WithCancel(context.Background())
	return b
}

// Cluster returns the store that b is a node of.
func (b *Broker) Cluster() *Cluster { return b.cluster }

// Caps is documented at broker.Broker.
func (b *Broker) Caps() broker.Caps {
	return broker.Caps{Cluster: !b.alone, MaxPayload: b.cluster.options.MaxPayload, DedupeWindow: b.cluster.options.DedupeWindow}
}

// Start is documented at broker.Broker. An error is returned too if the node's
// id or profiles are not valid, if a live node of the cluster has the id, if
// there are MaxNodes already, and if b was started before.
func (b *Broker) Start(ctx context.Context, node broker.Node, sink broker.Sink) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if sink == nil {
		return fmt.Errorf("memory: Start needs a sink")
	}
	if !validNodeID(node.ID) {
		return fmt.Errorf("memory: node id %q is not 1 to 64 letters, digits, - and _", node.ID)
	}
	profiles := map[string]*broker.Profile{"": &broker.DefaultProfile}
	for _, p := range node.Profiles {
		if p.Size < 0 || p.Age < 0 {
			return fmt.Errorf("memory: profile %q has a negative size or age", p.Name)
		}
		profiles[p.Name] = &p
	}
	c := b.cluster
	c.mu.Lock()
	defer c.mu.Unlock()
	if b.used {
		return fmt.Errorf("memory: a broker is started once; make another with Cluster.Node")
	}
	slot := slices.Index(c.slots[:], nil)
	if slot < 0 {
		return fmt.Errorf("memory: %d nodes are started already", MaxNodes)
	}
	for _, other := range c.slots {
		if other != nil && other.state.ID == node.ID {
			return fmt.Errorf("memory: another node has the id %q", node.ID)
		}
	}
	c.lives++
	b.state = broker.NodeState{ID: node.ID, Incarnation: strconv.FormatUint(c.lives, 10)}
	b.sink, b.slot, b.profiles, b.used = sink, slot, profiles, true
	for _, other := range c.slots {
		if other != nil {
			other.sink.NodeUp(b.state)
			sink.NodeUp(other.state)
		}
	}
	c.slots[slot] = b
	b.started.Store(true)
	sink.State(broker.Connected, nil)
	return nil
}

func validNodeID(id string) bool {
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 64
}

// Close is documented at broker.Broker. It waits for Answers that run, no longer
// than ctx.
func (b *Broker) Close(ctx context.Context) error {
	c := b.cluster
	c.mu.Lock()
	b.used = true // closed without a start: there will be none
	if !b.started.Swap(false) {
		c.mu.Unlock()
		return nil
	}
	c.leave(b)
	c.slots[b.slot] = nil
	for _, other := range c.slots {
		if other != nil {
			other.sink.NodeDown(b.state)
		}
	}
	c.mu.Unlock()
	b.end()
	done := make(chan struct{})
	go func() { b.answers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave takes the node out of every room. Who delivers holds the shard's lock,
// so nothing is delivered to it afterwards.
func (c *Cluster) leave(b *Broker) {
	for i := range c.shards {
		sh := &c.shards[i]
		sh.mu.Lock()
		for i := len(sh.order) - 1; i >= 0; i-- {
			sh.release(sh.order[i], b.slot)
		}
		sh.mu.Unlock()
	}
}

// release ends the interest of a slot, and the room if nothing is left of it.
func (sh *shard) release(r *room, slot int) {
	r.nodes &^= 1 << slot
	if r.nodes == 0 && r.log == nil {
		sh.remove(r)
	}
}

// ready says why a call cannot be served.
func (b *Broker) ready(ctx context.Context, rooms ...string) error {
	if !b.started.Load() {
		return broker.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return check(rooms...)
}

// Send is documented at broker.Broker.
func (b *Broker) Send(ctx context.Context, to broker.Target, data []byte) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if len(data) > b.cluster.options.MaxPayload {
		return broker.ErrTooLarge
	}
	sent := broker.Sent{To: to, From: b.state.ID, Data: data}
	b.sending.Lock()
	defer b.sending.Unlock()
	c := b.cluster
	if to.Kind == broker.ToRoom {
		return c.sendToRoom(sent)
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, node := range c.slots {
		if node == nil || to.Kind == broker.ToNode && node.state.ID != to.Name {
			continue
		}
		node.sink.Receive(sent)
		if to.Kind == broker.ToNode {
			return nil
		}
	}
	if to.Kind == broker.ToNode {
		return broker.ErrUnknownNode
	}
	return nil
}

func (c *Cluster) sendToRoom(sent broker.Sent) error {
	if err := check(sent.To.Name); err != nil {
		return err
	}
	sh := c.shard(sent.To.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[sent.To.Name]; r != nil {
		c.eachSink(r.nodes, func(s broker.Sink) { s.Receive(sent) })
	}
	return nil
}

// Ask is documented at broker.Broker. Answer runs on the caller's goroutine.
func (b *Broker) Ask(ctx context.Context, node string, question []byte) ([]byte, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	c := b.cluster
	c.mu.RLock()
	i := slices.IndexFunc(c.slots[:], func(n *Broker) bool { return n != nil && n.state.ID == node })
	if i < 0 {
		c.mu.RUnlock()
		return nil, broker.ErrUnknownNode
	}
	peer := c.slots[i]
	peer.answers.Add(1)
	c.mu.RUnlock()
	defer peer.answers.Done()
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(peer.life, cancel)()
	answer, err := peer.sink.Answer(asked, b.state.ID, question)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case peer.life.Err() != nil:
		return nil, fmt.Errorf("%w: memory: node %q closed before it answered", broker.ErrUnknownNode, node)
	}
	return nil, &broker.Refusal{Text: err.Error()}
}

// SetShare is documented at broker.Broker.
func (b *Broker) SetShare(ctx context.Context, room string, members int) error {
	if err := b.ready(ctx, room); err != nil {
		return err
	}
	if members < 0 {
		return fmt.Errorf("memory: a share of %d members", members)
	}
	b.sharing.Lock()
	defer b.sharing.Unlock()
	if members == 0 {
		delete(b.shares, room)
	} else {
		b.shares[room] = members
	}
	return nil
}

// Shares is documented at broker.Broker.
func (b *Broker) Shares(ctx context.Context, room string) ([]broker.Share, error) {
	if err := b.ready(ctx, room); err != nil {
		return nil, err
	}
	var shares []broker.Share
	for _, node := range b.cluster.live() {
		node.sharing.Lock()
		if n := node.shares[room]; n > 0 {
			shares = append(shares, broker.Share{Node: node.state, Members: n})
		}
		node.sharing.Unlock()
	}
	return shares, nil
}

// Nodes is documented at broker.Broker.
func (b *Broker) Nodes() []broker.NodeState {
	var states []broker.NodeState
	for _, node := range b.cluster.live() {
		states = append(states, node.state)
	}
	return states
}

func (c *Cluster) live() []*Broker {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var live []*Broker
	for _, node := range c.slots {
		if node != nil {
			live = append(live, node)
		}
	}
	slices.SortFunc(live, func(a, b *Broker) int { return cmp.Compare(a.state.ID, b.state.ID) })
	return live
}
