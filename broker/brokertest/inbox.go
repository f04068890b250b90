package brokertest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
)

// patience is how long the suite waits for what a broker owes: long, because a
// store may be starting; it is only used up by a broker that fails.
const patience = 20 * time.Second

// An Inbox is a broker.Sink that keeps what it is given, for tests. Its methods
// may be called from any goroutine.
type Inbox struct {
	// AnswerFunc, if set before Start, answers questions; without it they are
	// refused.
	AnswerFunc func(ctx context.Context, from string, question []byte) ([]byte, error)

	mu        sync.Mutex
	changed   chan struct{} // closed at the next change
	messages  []broker.Message
	sent      []broker.Sent
	uncertain []broker.Scope
	up, down  []broker.NodeState
	states    []broker.State
	questions int
}

var _ broker.Sink = (*Inbox)(nil)

func (in *Inbox) change(f func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	f()
	if in.changed != nil {
		close(in.changed)
		in.changed = nil
	}
}

// Deliver keeps a message.
func (in *Inbox) Deliver(m broker.Message) {
	in.change(func() { in.messages = append(in.messages, m) })
}

// Receive keeps what was sent.
func (in *Inbox) Receive(s broker.Sent) { in.change(func() { in.sent = append(in.sent, s) }) }

// Answer counts the question and calls AnswerFunc.
func (in *Inbox) Answer(ctx context.Context, from string, question []byte) ([]byte, error) {
	in.change(func() { in.questions++ })
	if in.AnswerFunc == nil {
		return nil, fmt.Errorf("nobody answers here")
	}
	return in.AnswerFunc(ctx, from, question)
}

// Uncertain keeps the scope.
func (in *Inbox) Uncertain(scope broker.Scope, _ error) {
	in.change(func() { in.uncertain = append(in.uncertain, scope) })
}

// NodeUp keeps the node.
func (in *Inbox) NodeUp(n broker.NodeState) { in.change(func() { in.up = append(in.up, n) }) }

// NodeDown keeps the node.
func (in *Inbox) NodeDown(n broker.NodeState) { in.change(func() { in.down = append(in.down, n) }) }

// State keeps the state.
func (in *Inbox) State(s broker.State, _ error) {
	in.change(func() { in.states = append(in.states, s) })
}

// Messages returns what was delivered of a room, as it came.
func (in *Inbox) Messages(room string) []broker.Message {
	in.mu.Lock()
	defer in.mu.Unlock()
	var of []broker.Message
	for _, m := range in.messages {
		if m.Room == room {
			of = append(of, m)
		}
	}
	return of
}

// until waits until f, called with the lock held, is true.
func (in *Inbox) until(t *testing.T, what string, f func() bool) {
	t.Helper()
	in.eventually(t, what, func() bool {
		in.mu.Lock()
		defer in.mu.Unlock()
		return f()
	})
}

// eventually waits until f, asked after each change, is true.
func (in *Inbox) eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		in.mu.Lock()
		if in.changed == nil {
			in.changed = make(chan struct{})
		}
		changed := in.changed
		in.mu.Unlock()
		if f() {
			return
		}
		select {
		case <-changed:
		case <-late.C:
			t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

// await waits until every position of room that is wanted was delivered.
func (in *Inbox) await(t *testing.T, room string, want ...broker.Position) {
	t.Helper()
	in.until(t, fmt.Sprintf("delivery of %d messages", len(want)), func() bool {
		for _, p := range want {
			if !slices.ContainsFunc(in.messages, func(m broker.Message) bool { return m.Room == room && m.Position == p }) {
				return false
			}
		}
		return true
	})
}

// States returns the states that were told, as they came.
func (in *Inbox) States() []broker.State {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.states)
}

// Ups returns the nodes that came, as they came.
func (in *Inbox) Ups() []broker.NodeState {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.up)
}

// Downs returns the nodes that went, as they went.
func (in *Inbox) Downs() []broker.NodeState {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.down)
}

// Sent returns what was received, as it came.
func (in *Inbox) Sent() []broker.Sent {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.sent)
}

// UncertainCount returns how often Uncertain was called.
func (in *Inbox) UncertainCount() int {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.uncertain)
}
