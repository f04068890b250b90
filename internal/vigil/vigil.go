// Package vigil ends questions to nodes that are gone, for brokers over servers that
// know of a connection's end a while later: a node that is killed keeps its
// subscription for that time, and what it is asked then is neither answered nor
// refused.
package vigil

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// A question is waited for so long before its node is called, and from call to call
// twice as long, up to LongestPause. An answer mostly comes within a few
// milliseconds, so that most questions cost no call.
const (
	firstPause   = 100 * time.Millisecond
	LongestPause = time.Second
)

// A Vigil is held at a node for which questions wait. It calls the node from time to
// time, one call for all that wait. Three things can come of that: the server says
// that nobody listens, and the call gives up; another life of the node answers; or
// the node itself answers, or nothing comes, and then it is slow and waited for.
type Vigil struct {
	node broker.NodeState
	over context.Context
	end  context.CancelCauseFunc

	// Guarded by the vigils' lock.
	questions int
	timer     *time.Timer   // of the next call
	pause     time.Duration // before it
}

// Node is who is asked.
func (g *Vigil) Node() broker.NodeState { return g.node }

// Over ends when the questions do. Its cause is what they end with.
func (g *Vigil) Over() context.Context { return g.over }

// Unheard is the error of a question to a node that does not listen, while its lease
// lasts. It may be back in a moment, so that it does not count as gone.
func (g *Vigil) Unheard() error {
	return fmt.Errorf("%w: node %q does not listen", broker.ErrUnavailable, g.node.ID)
}

// Vigils are those that one node holds. The zero value is none; any goroutine may
// call its methods, and none of them blocks.
type Vigils struct {
	mu sync.Mutex
	at map[broker.NodeState]*Vigil
}

// Attend waits with those that wait for a node already. Call asks whether the node
// is there, on a goroutine of its own; it may take longer than a pause. Every Attend
// is to be followed by one Leave.
func (v *Vigils) Attend(node broker.NodeState, call func(*Vigil)) *Vigil {
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.at[node]
	switch {
	case g == nil:
		g = &Vigil{node: node, pause: firstPause}
		g.over, g.end = context.WithCancelCause(context.Background())
		g.timer = time.AfterFunc(firstPause, func() {
			if v.again(g) {
				call(g)
			}
		})
		if v.at == nil {
			v.at = map[broker.NodeState]*Vigil{}
		}
		v.at[node] = g
	case g.pause > firstPause: // a new question does not wait for an old one's patience
		g.pause = firstPause
		g.timer.Reset(firstPause)
	}
	g.questions++
	return g
}

// again plans the next call; false if the vigil has ended.
func (v *Vigils) again(g *Vigil) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.at[g.node] != g {
		return false
	}
	g.pause = min(2*g.pause, LongestPause)
	g.timer.Reset(g.pause)
	return true
}

// Leave ends the wait of one question, and with the last one the vigil.
func (v *Vigils) Leave(g *Vigil) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g.questions--; g.questions == 0 {
		v.close(g, nil)
	}
}

// GiveUp ends the questions of a vigil, because nobody listens.
func (v *Vigils) GiveUp(g *Vigil) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.close(g, g.Unheard())
}

// Gone ends all questions that wait for a node whose lease has ended.
func (v *Vigils) Gone(node broker.NodeState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.at[node]; g != nil {
		v.close(g, fmt.Errorf("%w: node %q has gone", broker.ErrUnknownNode, node.ID))
	}
}

// Heard takes a life of a node that has answered a call: questions to another one
// have been in vain.
func (v *Vigils) Heard(node broker.NodeState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for of, g := range v.at {
		if of.ID == node.ID && of != node {
			v.close(g, g.Unheard())
		}
	}
}

// close ends a vigil; of several reasons the first counts. Called with the lock held.
func (v *Vigils) close(g *Vigil, why error) {
	g.timer.Stop()
	if v.at[g.node] == g {
		delete(v.at, g.node)
	}
	g.end(why)
}
