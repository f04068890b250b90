package redis

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/vigil"
)

// maxAnswer is the longest answer in bytes: a server ends a subscriber to which it
// owes much more.
const maxAnswer = 8 << 20

// questions are those that this node has asked and that wait for an answer.
type questions struct {
	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*question

	vigils vigil.Vigils // have a lock of their own
}

type question struct {
	node     string
	answered chan frame // holds one
}

// Ask is documented at broker.Broker. A question to this node itself does not
// leave it. An answer longer than 8 MiB is a refusal.
func (b *Broker) Ask(ctx context.Context, node string, question []byte) ([]byte, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if node == b.node {
		return b.askMyself(ctx, question)
	}
	state, ok := b.find(ctx, node)
	if !ok {
		return nil, broker.ErrUnknownNode
	}
	id, q := b.questions.add(node)
	defer b.questions.remove(id)
	g := b.questions.vigils.Attend(state, b.call)
	defer b.questions.vigils.Leave(g)
	told, err := b.say(ctx, b.names.channel(kindNode, node), newFrame(frameQuestion, id, b.node, question))
	if err != nil {
		return nil, b.unavailable(ctx, err)
	}
	if told == 0 {
		b.questions.vigils.GiveUp(g) // and those that were told before it went
		return nil, g.Unheard()
	}
	select {
	case f := <-q.answered:
		if f.kind == frameRefusal {
			return nil, &broker.Refusal{Text: f.rest}
		}
		return bytesOf(f.rest), nil
	case <-g.Over().Done():
		return nil, context.Cause(g.Over())
	case <-b.life.Done():
		return nil, broker.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *Broker) askMyself(ctx context.Context, question []byte) ([]byte, error) {
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.life, cancel)()
	if !b.answers.begin() {
		return nil, broker.ErrClosed
	}
	defer b.answers.running.Done()
	answer, err := b.sink.Answer(asked, b.node, question)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case b.life.Err() != nil:
		return nil, broker.ErrClosed
	}
	return nil, &broker.Refusal{Text: err.Error()}
}

func (q *questions) add(node string) (uint64, *question) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.last == 0 {
		q.last = rand.Uint64() // an answer to an earlier life of this node is not to fit
	}
	q.last++
	one := &question{node: node, answered: make(chan frame, 1)}
	if q.waiting == nil {
		q.waiting = map[uint64]*question{}
	}
	q.waiting[q.last] = one
	return q.last, one
}

func (q *questions) remove(id uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
}

// answered takes an answer to whoever waits for it, if he still does. Calls and
// what answers them come the same way.
func (b *Broker) answered(f frame) {
	switch f.kind {
	case frameCall:
		b.heed(f.text)
		return
	case frameHere:
		b.questions.vigils.Heard(broker.NodeState{ID: f.text, Incarnation: f.rest})
		return
	}
	b.questions.mu.Lock()
	defer b.questions.mu.Unlock()
	one := b.questions.waiting[f.id]
	if one == nil || one.node != f.text || f.kind != frameAnswer && f.kind != frameRefusal {
		return
	}
	select {
	case one.answered <- f:
	default: // a second answer
	}
}

// answers are the Answers that run.
type answers struct {
	mu      sync.Mutex
	closed  bool
	running sync.WaitGroup
}

// begin reports whether an Answer may begin; running is to be told when it is done.
func (a *answers) begin() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false
	}
	a.running.Add(1)
	return true
}

func (a *answers) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
}

// answer answers a question on a goroutine of its own.
func (b *Broker) answer(f frame) {
	if !b.answers.begin() {
		return
	}
	go func() {
		defer b.answers.running.Done()
		answer, err := b.sink.Answer(b.life, f.text, bytesOf(f.rest))
		kind := byte(frameAnswer)
		if err == nil && len(answer) > maxAnswer {
			err = fmt.Errorf("the answer has %d bytes, more than %d", len(answer), maxAnswer)
		}
		if err != nil {
			kind, answer = frameRefusal, []byte(err.Error())
		}
		if b.life.Err() != nil {
			return // the asker learns that this node has gone
		}
		ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
		defer cancel()
		if _, err := b.say(ctx, b.names.channel(kindNode, f.text), newFrame(kind, f.id, b.node, answer)); err != nil {
			b.suspect(err)
		}
	}()
}
