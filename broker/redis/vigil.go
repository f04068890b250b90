package redis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// A vigil is held at a node for which questions wait. A node that is killed keeps
// its subscription until the server sees the connection end: what is asked in that
// moment is told to somebody and not answered. So whoever waits calls the node from
// time to time, one call for all that wait. Three things can come of it: the server
// has nobody to tell; another life of the node answers; or the node itself answers,
// or nothing comes, and then it is slow and waited for.
type vigil struct {
	node broker.NodeState
	over chan struct{} // closed when the questions end
	why  error         // set before over is closed

	// Guarded by the vigils' lock.
	questions int
	timer     *time.Timer   // of the next call
	pause     time.Duration // before it
}

// vigils are those that this node holds.
type vigils struct {
	mu sync.Mutex
	at map[broker.NodeState]*vigil
}

// A question is waited for so long before its node is called, and from call to
// call twice as long, up to longestCall. An answer mostly comes within a
// millisecond, so that most questions cost no call.
const (
	firstCall   = 100 * time.Millisecond
	longestCall = time.Second
)

// Frames of a call, besides those in frame.go.
const (
	frameCall = 'l' // on a node's channel: are you there; text is the caller
	frameHere = 'h' // on the caller's channel: text is the node, rest its incarnation
)

// attend waits with those that wait for a node already.
func (b *Broker) attend(node broker.NodeState) *vigil {
	v := &b.questions.vigils
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.at[node]
	switch {
	case g == nil:
		g = &vigil{node: node, over: make(chan struct{}), pause: firstCall}
		g.timer = time.AfterFunc(firstCall, func() { b.call(g) })
		if v.at == nil {
			v.at = map[broker.NodeState]*vigil{}
		}
		v.at[node] = g
	case g.pause > firstCall: // a new question does not wait for an old one's patience
		g.pause = firstCall
		g.timer.Reset(firstCall)
	}
	g.questions++
	return g
}

// leave ends the wait of one question, and with the last one the vigil.
func (v *vigils) leave(g *vigil) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g.questions--; g.questions == 0 {
		v.close(g)
	}
}

// close takes a vigil away, and reports whether it was there still. The lock is
// held.
func (v *vigils) close(g *vigil) bool {
	g.timer.Stop()
	if v.at[g.node] != g {
		return false
	}
	delete(v.at, g.node)
	return true
}

// giveUp ends the questions of a vigil for a reason.
func (v *vigils) giveUp(g *vigil, why error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.end(g, why)
}

func (v *vigils) end(g *vigil, why error) {
	if v.close(g) {
		g.why = why
		close(g.over)
	}
}

// gone ends all questions that wait for a node whose lease has ended.
func (v *vigils) gone(node broker.NodeState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.at[node]; g != nil {
		v.end(g, fmt.Errorf("%w: redis: node %q has gone", broker.ErrUnknownNode, node.ID))
	}
}

// heard takes the answer to a call: questions to another life of the node have
// been in vain.
func (v *vigils) heard(node broker.NodeState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for of, g := range v.at {
		if of.ID == node.ID && of != node {
			v.end(g, g.unheard())
		}
	}
}

// call asks whether a node is there.
func (b *Broker) call(g *vigil) {
	v := &b.questions.vigils
	v.mu.Lock()
	if v.at[g.node] != g {
		v.mu.Unlock()
		return
	}
	g.pause = min(2*g.pause, longestCall)
	g.timer.Reset(g.pause)
	v.mu.Unlock()
	ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
	defer cancel()
	told, err := b.say(ctx, b.names.channel(kindNode, g.node.ID), newFrame(frameCall, 0, b.node, nil))
	switch {
	case err != nil && b.life.Err() == nil:
		b.suspect(err)
	case err == nil && told == 0:
		v.giveUp(g, g.unheard())
	}
}

// heed answers a call, however many questions are being answered.
func (b *Broker) heed(caller string) {
	if !b.answers.begin() {
		return
	}
	go func() {
		defer b.answers.running.Done()
		ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
		defer cancel()
		life := b.census.self().Incarnation
		if _, err := b.say(ctx, b.names.channel(kindNode, caller), newFrame(frameHere, 0, b.node, []byte(life))); err != nil {
			b.suspect(err)
		}
	}()
}

// unheard is the error of a question to a node that does not listen, while its
// lease lasts. It may be back in a moment, so that it does not count as gone.
func (g *vigil) unheard() error {
	return fmt.Errorf("%w: redis: node %q does not listen", broker.ErrUnavailable, g.node.ID)
}
