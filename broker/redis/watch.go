package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// A rhythm is how often things are looked at. Tests have a faster one.
type rhythm struct {
	beat     time.Duration // between two renewals of the lease
	patience time.Duration // how long a renewal may take
	lease    time.Duration // how long a lease lasts
	probe    time.Duration // between two probes
	keep     time.Duration // between two looks at what would expire
}

var usualRhythm = rhythm{beat: 2 * time.Second, patience: 3 * time.Second, lease: 10 * time.Second, probe: 5 * time.Second, keep: time.Minute}

var (
	errLeaseLost = errors.New("redis: the store forgot this node's lease")
	errSameID    = errors.New("redis: another live node has this node's id")
	errSilent    = errors.New("redis: nothing is heard on a subscription, not even what this node says to itself")
)

// watch renews the lease, more often while that fails, until ctx ends.
func (b *Broker) watch(ctx context.Context) {
	pause := newPause(50*time.Millisecond, time.Second)
	tick := time.NewTicker(b.rhythm.beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-b.doubt:
		}
		for b.beat(ctx) != nil {
			if !pause.wait(ctx, nil) {
				return
			}
		}
		pause.reset()
		// Doubts come with every call that fails, and one look answers them all.
		if !newPause(b.rhythm.beat/40, b.rhythm.beat).wait(ctx, nil) {
			return
		}
	}
}

// beat renews the lease and learns who lives.
func (b *Broker) beat(ctx context.Context) error {
	select {
	case b.beating <- struct{}{}:
		defer func() { <-b.beating }()
	case <-ctx.Done():
		return ctx.Err()
	}
	lost, err := b.renew(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if word, ok := refusal(err); ok && word == "READONLY" {
		b.reconnect(err)
	}
	b.news.Lock()
	failed := b.failed
	b.failed = err
	b.news.Unlock()
	if err != nil && failed == nil && !b.cluster {
		// The one server does not answer: whatever it would have told is not told
		// either, even if the connection does not know it yet.
		if _, refused := refusal(err); !refused {
			b.closeLines(fmt.Errorf("redis: the server does not answer: %w", err), false)
		}
	}
	b.judge()
	if lost { // after calls are let through: whoever is uncertain asks at once
		b.uncertain(errLeaseLost)
	}
	return err
}

// renew reports whether the lease was lost, and another one taken.
func (b *Broker) renew(ctx context.Context) (lost bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, b.rhythm.patience)
	defer cancel()
	me := b.census.self()
	done, live, err := b.lease(ctx, "renew", me.Incarnation)
	if err != nil {
		return false, err
	}
	now := time.Now()
	b.news.Lock()
	failed := b.failed != nil
	b.news.Unlock()
	if failed || done != 1 {
		b.census.freeze(now.Add(b.rhythm.lease))
	}
	if done != 1 {
		// The lease has run out, or the store has lost it. Others may have seen this
		// node go: it comes back with another life.
		next := broker.NodeState{ID: b.node, Incarnation: newEpoch().String()}
		if done, live, err = b.lease(ctx, "join", next.Incarnation); err != nil {
			return false, err
		}
		if done != 1 {
			return false, errSameID
		}
		lost = true
		b.census.begin(next)
		b.restore(memberOf(me))
		if err := b.agree(ctx); err != nil { // a store that was emptied has forgotten it
			b.options.Logger.Error("redis: the partitions of the namespace cannot be made sure of", "error", err)
		}
		b.say(ctx, b.everyone(), newFrame(frameNodes, 0, b.node, nil))
	}
	b.tell(b.census.update(live, now))
	return lost, nil
}

// tell brings news of nodes to the sink.
func (b *Broker) tell(up, down []broker.NodeState) {
	b.news.Lock()
	defer b.news.Unlock()
	if b.closed {
		return
	}
	for _, n := range up {
		b.sink.NodeUp(n)
	}
	for _, n := range down {
		b.sink.NodeDown(n)
		b.questions.vigils.Gone(n)
	}
}

// judge finds out how the broker is reached, and tells if that has changed.
func (b *Broker) judge() {
	b.news.Lock()
	defer b.news.Unlock()
	if b.closed || !b.connected {
		return
	}
	settled, failing, lost := 0, 0, error(nil)
	for _, l := range b.lanes {
		l.mu.Lock()
		if l.settled {
			settled++
		} else if l.failing {
			failing++
			lost = l.lost
		}
		l.mu.Unlock()
	}
	state, why := broker.Connected, error(nil)
	switch {
	case b.failed != nil && (!b.cluster || settled == 0):
		state, why = broker.Down, explain(b.failed)
		if errors.Is(b.failed, errSameID) {
			state = broker.Degraded
		}
	case b.failed != nil:
		state, why = broker.Degraded, explain(b.failed)
	case failing > 0:
		state, why = broker.Degraded, fmt.Errorf("%d of %d partitions are not heard: %w", failing, len(b.lanes), lost)
	}
	if state == broker.Down {
		b.down.Store(&why)
	} else {
		b.down.Store(nil)
	}
	if state == b.state {
		return
	}
	if b.state == broker.Down {
		for _, l := range b.lanes {
			nudge(l.again)
		}
	}
	b.state = state
	if state == broker.Connected {
		b.options.Logger.Info("redis: connected again")
	} else {
		b.options.Logger.Warn("redis: "+state.String(), "error", why)
	}
	b.sink.State(state, why)
}

// reachable makes sure that calls are let through before somebody is told to make
// some.
func (b *Broker) reachable(ctx context.Context) error {
	if why := b.down.Load(); why != nil {
		return b.beat(ctx)
	}
	return nil
}

// reconnect makes a new client, because the one that is there keeps talking to a
// server that has become a replica. A client of Sentinels or of a Cluster finds
// the master by itself.
func (b *Broker) reconnect(why error) {
	if b.cluster || b.client().Mode() != rueidis.ClientModeStandalone || time.Since(b.reconnected) < b.rhythm.beat {
		return
	}
	b.reconnected = time.Now()
	fresh, err := rueidis.NewClient(b.clientOption)
	if err != nil {
		return
	}
	old := b.current.Swap(&fresh)
	b.closeLines(fmt.Errorf("redis: %w", explain(why)), false)
	b.tasks.Go((*old).Close)
}

// probe says something to itself on every lane, until ctx ends. A lane on which
// that is not heard is dead, whatever its connection says.
func (b *Broker) probe(ctx context.Context) {
	tick := time.NewTicker(b.rhythm.probe)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		b.relocate(ctx)
		b.findSilent()
		b.tasks.Go(func() { b.sayProbes(ctx) })
	}
}

func (b *Broker) findSilent() {
	all, silent := map[*line]int{}, map[*line][]*lane{}
	for _, l := range b.lanes {
		l.mu.Lock()
		all[l.line]++
		if l.line != nil && l.settled && l.silence >= 2 {
			silent[l.line] = append(silent[l.line], l)
		}
		l.mu.Unlock()
	}
	for ln, lanes := range silent {
		if len(lanes) == all[ln] {
			ln.finish(errSilent)
		}
		for _, l := range lanes {
			l.lose(ln, errSilent)
		}
	}
}

func (b *Broker) sayProbes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, b.rhythm.probe)
	defer cancel()
	for _, l := range b.lanes {
		l.mu.Lock()
		ln := l.line
		if l.settled {
			l.silence++
		}
		l.mu.Unlock()
		if ln == nil {
			continue
		}
		if _, err := b.say(ctx, l.probe, newFrame(frameProbe, 0, "", nil)); err != nil {
			l.mu.Lock()
			l.silence = max(0, l.silence-1) // nothing was said
			l.mu.Unlock()
			b.suspect(err)
		}
	}
}

// keep prolongs what would expire, and writes shares again, until ctx ends.
func (b *Broker) keep(ctx context.Context) {
	tick := time.NewTicker(b.rhythm.keep)
	defer tick.Stop()
	refreshed := time.Now()
	for {
		older := ""
		select {
		case <-ctx.Done():
			return
		case older = <-b.restoring:
		case <-tick.C:
			b.prolong(ctx)
			if time.Since(refreshed) < shareRefresh {
				continue
			}
		}
		if b.writeShares(ctx, b.shares.rooms(), older) == nil {
			refreshed = time.Now()
		} else {
			refreshed = time.Time{} // at the next tick
		}
	}
}

// restore makes the keeper write all shares again, under the present incarnation.
func (b *Broker) restore(older string) {
	select {
	case b.restoring <- older:
	default: // it is going to, anyway
	}
}
