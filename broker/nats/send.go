package nats

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// Send is documented at broker.Broker.
func (b *Broker) Send(ctx context.Context, to broker.Target, data []byte) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if len(data) > b.maxPayload() {
		return broker.ErrTooLarge
	}
	var subject string
	switch to.Kind {
	case broker.ToRoom:
		if err := b.ready(ctx, to.Name); err != nil {
			return err
		}
		subject = b.layout.live() + tokenOf(to.Name)
	case broker.ToNode:
		if _, ok := b.nodes.lives(to.Name, ""); !ok {
			return broker.ErrUnknownNode
		}
		subject = b.layout.node(to.Name)
	default:
		subject = b.layout.everyone()
	}
	b.sending.Lock()
	defer b.sending.Unlock()
	err := b.link.conn.PublishMsg(&natsgo.Msg{Subject: subject, Data: data, Header: natsgo.Header{headerNode: {b.id}}})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, natsgo.ErrMaxPayload):
		return broker.ErrTooLarge
	}
	return fmt.Errorf("%w: nats: %w", broker.ErrUnavailable, err)
}

// receive brings what a node sent. It came through the queue of the room, or
// that of the node itself.
func (w *worker) receive(m *natsgo.Msg) {
	from := header(m.Header, headerNode)
	if from == "" {
		return // not from a node
	}
	sent := broker.Sent{From: from, Data: m.Data}
	switch {
	case m.Subject == w.b.layout.everyone():
	case m.Subject == w.b.layout.node(w.b.id):
		sent.To = broker.Target{Kind: broker.ToNode, Name: w.b.id}
	default:
		w.mu.Lock()
		r := w.rooms[m.Subject]
		w.mu.Unlock()
		if r == nil {
			return
		}
		sent.To = broker.Target{Kind: broker.ToRoom, Name: r.name}
	}
	w.b.sink.Receive(sent)
}

// maxAnswers is how many questions are answered at a time; more are told to come
// again.
const maxAnswers = 256

// longestAnswer is how long an answer may take.
const longestAnswer = 30 * time.Second

// Headers of an answer, and of a question.
const (
	headerRefusal = "Finch-Refusal" // the text of the error
	headerBusy    = "Finch-Busy"    // not now
	headerWithin  = "Finch-Within"  // milliseconds that the asker waits
)

// Ask is documented at broker.Broker. Without a deadline it waits for the
// options' timeout.
func (b *Broker) Ask(ctx context.Context, node string, question []byte) ([]byte, error) {
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if len(question) > b.maxPayload() {
		return nil, broker.ErrTooLarge
	}
	state, ok := b.nodes.lives(node, "")
	if !ok {
		return nil, broker.ErrUnknownNode
	}
	wait, limit := b.options.Timeout, b.options.Timeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline)
		limit = wait + time.Second // it is ctx that ends first
	}
	g := b.vigils.Attend(state, b.call)
	defer b.vigils.Leave(g)
	bound, cancel := b.link.bound(ctx, limit)
	defer cancel()
	defer context.AfterFunc(g.Over(), cancel)()
	m, err := b.link.conn.RequestMsgWithContext(bound, &natsgo.Msg{
		Subject: b.layout.questions(node), Data: question,
		Header: natsgo.Header{headerNode: {b.id}, headerWithin: {strconv.FormatInt(wait.Milliseconds(), 10)}},
	})
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case !b.started.Load():
		return nil, broker.ErrClosed
	case errors.Is(err, natsgo.ErrNoResponders):
		b.vigils.GiveUp(g) // and those that were heard before it went
		return nil, g.Unheard()
	case g.Over().Err() != nil:
		return nil, context.Cause(g.Over())
	default:
		return nil, fmt.Errorf("%w: nats: node %q does not answer: %w", broker.ErrUnavailable, node, err)
	}
	if text, ok := m.Header[headerRefusal]; ok {
		return nil, &broker.Refusal{Text: textOf(strings.Join(text, ""))}
	}
	if header(m.Header, headerBusy) != "" {
		return nil, unavailable("node %q has too many questions to answer", node)
	}
	return m.Data, nil
}

// answer has a question answered on a goroutine of its own.
func (b *Broker) answer(m *natsgo.Msg) {
	if _, call := m.Header[headerCall]; call {
		b.heed(m)
		return
	}
	select {
	case b.asked <- struct{}{}:
	default:
		b.respond(m, &natsgo.Msg{Header: natsgo.Header{headerBusy: {"1"}}})
		return
	}
	wait := longestAnswer
	if ms := number(m.Header, headerWithin); ms > 0 && ms < uint64(wait.Milliseconds()) {
		wait = time.Duration(ms) * time.Millisecond
	}
	go func() {
		defer func() { <-b.asked }()
		ctx, cancel := context.WithTimeout(b.life, wait)
		defer cancel()
		data, err := b.sink.Answer(ctx, header(m.Header, headerNode), m.Data)
		switch {
		case b.life.Err() != nil:
			return // the asker learns it from the lease
		case err != nil && ctx.Err() != nil && wait < longestAnswer:
			return // nobody waits any more
		case err == nil && len(data) > b.maxPayload():
			err = fmt.Errorf("the answer of %d bytes is too large", len(data))
		}
		if err != nil {
			b.respond(m, &natsgo.Msg{Header: natsgo.Header{headerRefusal: {headerOf(err.Error())}}})
			return
		}
		b.respond(m, &natsgo.Msg{Data: data})
	}()
}

func (b *Broker) respond(question, answer *natsgo.Msg) {
	if err := question.RespondMsg(answer); err != nil {
		b.log.Debug("nats: an answer could not be sent", "err", err)
	}
}

// awaitAnswers takes all places, so that nothing is being answered any more.
func (b *Broker) awaitAnswers(ctx context.Context) error {
	for range maxAnswers {
		select {
		case b.asked <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
