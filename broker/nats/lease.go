package nats

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// A lease is a message with a time to live, which its node writes anew before
// that ends. When it ends the stream puts a marker in its place, and the marker
// is republished as the lease was: that is how the others hear of a node's end.
// The stream is the only judge; a node that does not hear of another asks it.
type lease struct {
	Incarnation string `json:"incarnation"`
	Closed      bool   `json:"closed,omitempty"` // the node has gone of its own will
}

// nodes are the live ones, as this node knows them.
type nodes struct {
	mu    sync.Mutex
	self  broker.NodeState
	mine  uint64 // sequence of this node's lease
	peers map[string]*peer
	// hold: nobody is called gone before this time. After an outage of the servers
	// all leases have ended, and whoever is back first would bury the others.
	hold time.Time
}

type peer struct {
	state    broker.NodeState
	sequence uint64 // of the last that was heard
	heard    time.Time
	live     bool
	ended    bool // its lease has, while nobody was to be called gone
	cleared  bool // gone, and its shares with it
}

// hear takes a lease, or what ended it. News may come twice, late and out of
// order.
func (n *nodes) hear(b *Broker, id string, sequence uint64, expired bool, data []byte) {
	if id == b.id {
		return
	}
	var l lease
	if !expired && (json.Unmarshal(data, &l) != nil || l.Incarnation == "") {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.peers == nil {
		n.peers = map[string]*peer{}
	}
	p := n.peers[id]
	if p == nil {
		p = &peer{}
		n.peers[id] = p
	}
	if sequence <= p.sequence {
		return
	}
	before, lived := p.state, p.live
	p.sequence, p.heard = sequence, time.Now()
	p.ended = expired && lived && p.heard.Before(n.hold)
	p.live = !expired && !l.Closed || p.ended
	p.cleared = p.cleared && !p.live
	if p.live && !p.ended {
		p.state = broker.NodeState{ID: id, Incarnation: l.Incarnation}
	}
	if lived && (!p.live || p.state != before) {
		b.tellGone(before)
	}
	if p.live && (!lived || p.state != before) {
		up := p.state
		b.tell(func(s broker.Sink) { s.NodeUp(up) })
	}
}

// tellGone tells that a node has gone, to the sink and to whoever waits for it.
func (b *Broker) tellGone(node broker.NodeState) {
	b.tell(func(s broker.Sink) { s.NodeDown(node) })
	b.vigils.Gone(node)
}

// Nodes is documented at broker.Broker.
func (b *Broker) Nodes() []broker.NodeState {
	if !b.started.Load() {
		return nil
	}
	n := &b.nodes
	n.mu.Lock()
	defer n.mu.Unlock()
	states := []broker.NodeState{n.self}
	for _, p := range n.peers {
		if p.live {
			states = append(states, p.state)
		}
	}
	slices.SortFunc(states, func(a, b broker.NodeState) int { return cmp.Compare(a.ID, b.ID) })
	return states
}

// lives reports whether a node of this id lives; with an incarnation, this one.
func (n *nodes) lives(id, incarnation string) (broker.NodeState, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	state, live := n.self, n.self.ID == id
	if p := n.peers[id]; p != nil && p.live {
		state, live = p.state, true
	}
	return state, live && (incarnation == "" || state.Incarnation == incarnation)
}

func newIncarnation() string { return strconv.FormatUint(rand.Uint64(), 36) }

// writeLease writes the lease, if the last message under its subject is still the
// one with that sequence.
func (b *Broker) writeLease(ctx context.Context, expected uint64, l lease, ttl time.Duration) (uint64, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return 0, err
	}
	m := natsgo.NewMsg(b.layout.lease(b.id))
	m.Data = data
	m.Header[headerTTL] = []string{ttl.String()}
	m.Header[headerExpected] = []string{strconv.FormatUint(expected, 10)}
	ack, err := b.store(ctx, m)
	return ack.Sequence, err
}

// readLease reads what stands under this node's lease: the sequence of the last
// message, and the lease if it is one that counts.
func (b *Broker) readLease(ctx context.Context) (uint64, *lease, error) {
	m, err := b.leaderGet(ctx, b.layout.stateStream(), leaderQuestion{LastFor: b.layout.lease(b.id)})
	if isCode(err, codeNoMessage) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	var l lease
	if header(m.Header, headerMarker) != "" || json.Unmarshal(m.Data, &l) != nil || l.Closed {
		return m.Sequence, nil, nil
	}
	return m.Sequence, &l, nil
}

// takeLease makes this node one of the live ones.
func (b *Broker) takeLease(ctx context.Context) error {
	var first uint64 // sequence of another life's lease when it was first seen
	for {
		at, l, err := b.readLease(ctx)
		if err == nil && l == nil {
			var mine uint64
			state := broker.NodeState{ID: b.id, Incarnation: newIncarnation()}
			if mine, err = b.writeLease(ctx, at, lease{Incarnation: state.Incarnation}, b.options.Lease); err == nil {
				b.nodes.mu.Lock()
				b.nodes.self, b.nodes.mine = state, mine
				b.nodes.mu.Unlock()
				return nil
			}
		}
		switch {
		case err == nil && first == 0:
			first = at
			b.log.Info("nats: a lease of this node's id is there; waiting until it ends", "node", b.id)
		case err == nil && at != first:
			return fmt.Errorf("%w: another node lives that has the id %q: two nodes must not share one", errSettled, b.id)
		case err != nil && !passing(err) && !isCode(err, codeLastSequence):
			return unserved(ctx, err)
		}
		if !pause(ctx, b.options.Lease/20) {
			return fmt.Errorf("%w: nats: the lease of the node id %q cannot be taken: another life of it may not have ended yet: %w", broker.ErrUnavailable, b.id, ctx.Err())
		}
	}
}

// giveLease ends the lease, so that the others hear at once that the node has
// gone.
func (b *Broker) giveLease(ctx context.Context) {
	b.nodes.mu.Lock()
	mine, state := b.nodes.mine, b.nodes.self
	b.nodes.mu.Unlock()
	if _, err := b.writeLease(ctx, mine, lease{state.Incarnation, true}, time.Second); err != nil {
		b.log.Info("nats: the lease could not be given back; it ends by itself", "node", b.id, "err", err)
	}
}

// keepLease writes the lease anew in time, and looks after those of others.
func (b *Broker) keepLease() {
	every := time.NewTicker(b.options.Lease / 3)
	defer every.Stop()
	renewed := time.Now()
	for {
		select {
		case <-every.C:
		case <-b.relet:
		case <-b.life.Done():
			return
		}
		ctx, cancel := context.WithTimeout(b.life, b.options.Lease/3)
		err := b.renewLease(ctx)
		switch {
		case err == nil:
			renewed = time.Now()
			b.set(&b.leased, nil)
		case b.life.Err() != nil:
		case time.Since(renewed) >= b.options.Lease:
			b.set(&b.leased, fmt.Errorf("nats: the lease could not be renewed in time: %w", err))
		}
		if err == nil && b.nodes.overdue(b.options.Lease) {
			if err := b.learnNodes(ctx); err != nil {
				b.log.Warn("nats: the leases of other nodes cannot be read", "err", err)
			}
		}
		cancel()
		b.clearShares()
	}
}

// renewLease writes the lease anew, or takes another if it has ended: then the
// others have been told that this node is gone, and its shares do not count.
func (b *Broker) renewLease(ctx context.Context) error {
	n := &b.nodes
	n.mu.Lock()
	mine, state := n.mine, n.self
	n.mu.Unlock()
	at, err := b.writeLease(ctx, mine, lease{Incarnation: state.Incarnation}, b.options.Lease)
	if err == nil {
		n.mu.Lock()
		n.mine = at
		n.mu.Unlock()
		return nil
	}
	if !isCode(err, codeLastSequence) {
		return err
	}
	at, l, err := b.readLease(ctx)
	switch {
	case err != nil:
		return err
	case l != nil && l.Incarnation != state.Incarnation:
		return fmt.Errorf("another node took the id %q: two nodes must not share one", b.id)
	case l == nil:
		state.Incarnation = newIncarnation()
		b.log.Warn("nats: the lease had ended; the node begins a new life", "node", b.id)
		if at, err = b.writeLease(ctx, at, lease{Incarnation: state.Incarnation}, b.options.Lease); err != nil {
			return err
		}
	}
	n.mu.Lock()
	n.self, n.mine = state, at
	n.mu.Unlock()
	if l == nil {
		b.shares.rewrite()
	}
	return nil
}

// overdue reports whether some live node was not heard of for longer than its
// lease, and lets go of those that went long ago.
func (n *nodes) overdue(lease time.Duration) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	late := false
	for id, p := range n.peers {
		silent := time.Since(p.heard)
		late = late || p.live && (silent > lease || p.ended && !time.Now().Before(n.hold))
		if !p.live && silent > markerTTL {
			delete(n.peers, id)
		}
	}
	return late
}

// learnNodes reads all leases through the leader: those that are there live, and
// no other.
func (b *Broker) learnNodes(ctx context.Context) error {
	found, begun := map[string]bool{b.id: true}, time.Now()
	prefix := b.layout.lease("")
	for next := uint64(1); ; {
		m, err := b.leaderGet(ctx, b.layout.stateStream(), leaderQuestion{Sequence: next, NextFor: b.layout.lease("*")})
		if isCode(err, codeNoMessage) {
			break
		}
		if err != nil {
			return err
		}
		next = m.Sequence + 1
		id := m.Subject[len(prefix):]
		expired := header(m.Header, headerMarker) != ""
		b.nodes.hear(b, id, m.Sequence, expired, m.Data)
		if !expired {
			found[id] = true
			b.nodes.confirm(id)
		}
	}
	b.nodes.bury(b, found, begun)
	return nil
}

// holdOn has nobody called gone for the time of a lease.
func (n *nodes) holdOn(lease time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.hold = time.Now().Add(lease)
}

// confirm notes that a lease is there, whether it was renewed or not.
func (n *nodes) confirm(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.peers[id]; p != nil {
		p.heard = time.Now()
	}
}

// bury ends those that were not found, and not heard of since the search began.
func (n *nodes) bury(b *Broker, found map[string]bool, begun time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if time.Now().Before(n.hold) {
		return
	}
	for id, p := range n.peers {
		if p.live && (p.ended || !found[id] && p.heard.Before(begun)) {
			p.live, p.ended, p.heard = false, false, time.Now()
			b.tellGone(p.state)
		}
	}
}
