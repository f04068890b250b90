package nats

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// A vigil is held at a node for which questions wait. A node that is killed keeps
// its subscription until its server sees the connection end: what is asked in
// that moment is neither answered nor refused. So whoever waits calls the node
// from time to time, one call for all that wait. Three things can come of it: the
// server says that nobody listens; another life of the node answers; or the node
// itself answers, or nothing comes, and then it is slow and waited for.
type vigil struct {
	node broker.NodeState
	over context.Context // ends when the questions end, with why as its cause
	end  context.CancelCauseFunc

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
// call twice as long, up to longestCall. An answer mostly comes within a few
// milliseconds, so that most questions cost no call.
const (
	firstCall   = 100 * time.Millisecond
	longestCall = time.Second
)

// Headers of a call, and of what a node answers to it.
const (
	headerCall = "Finch-Call" // are you there
	headerLife = "Finch-Life" // the incarnation, empty before there is a lease
)

// attend waits with those that wait for a node already.
func (b *Broker) attend(node broker.NodeState) *vigil {
	v := &b.vigils
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.at[node]
	switch {
	case g == nil:
		g = &vigil{node: node, pause: firstCall}
		g.over, g.end = context.WithCancelCause(context.Background())
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
		g.end(nil)
	}
}

// close takes a vigil away, if it is there still. The lock is held.
func (v *vigils) close(g *vigil) {
	g.timer.Stop()
	if v.at[g.node] == g {
		delete(v.at, g.node)
	}
}

// giveUp ends the questions of a vigil for a reason.
func (v *vigils) giveUp(g *vigil, why error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.close(g)
	g.end(why)
}

// gone ends all questions that wait for a node whose lease has ended.
func (v *vigils) gone(node broker.NodeState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.at[node]; g != nil {
		v.close(g)
		g.end(fmt.Errorf("%w: nats: node %q has gone", broker.ErrUnknownNode, node.ID))
	}
}

// call asks whether a node is there.
func (b *Broker) call(g *vigil) {
	b.vigils.mu.Lock()
	if b.vigils.at[g.node] != g {
		b.vigils.mu.Unlock()
		return
	}
	g.pause = min(2*g.pause, longestCall)
	g.timer.Reset(g.pause)
	b.vigils.mu.Unlock()
	bound, cancel := b.link.bound(g.over, longestCall)
	defer cancel()
	m, err := b.link.conn.RequestMsgWithContext(bound, &natsgo.Msg{
		Subject: b.layout.questions(g.node.ID),
		Header:  natsgo.Header{headerNode: {b.id}, headerCall: {"1"}},
	})
	other := err == nil && len(m.Header[headerLife]) > 0 && header(m.Header, headerLife) != g.node.Incarnation
	if other || errors.Is(err, natsgo.ErrNoResponders) {
		b.vigils.giveUp(g, g.unheard())
	}
}

// heed answers a call at once, however many questions are being answered.
func (b *Broker) heed(call *natsgo.Msg) {
	b.nodes.mu.Lock()
	life := b.nodes.self.Incarnation
	b.nodes.mu.Unlock()
	b.respond(call, &natsgo.Msg{Header: natsgo.Header{headerLife: {life}}})
}

// unheard is the error of a question to a node that does not listen, while its
// lease lasts. It may be back in a moment, so that it does not count as gone.
func (g *vigil) unheard() error { return unavailable("node %q does not listen", g.node.ID) }
