package nats

import (
	"errors"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/vigil"
	natsgo "github.com/nats-io/nats.go"
)

// Headers of a call, and of what a node answers to it.
const (
	headerCall = "Finch-Call" // are you there
	headerLife = "Finch-Life" // the incarnation, empty before there is a lease
)

// call asks whether a node is there for which questions wait.
func (b *Broker) call(g *vigil.Vigil) {
	bound, cancel := b.link.bound(g.Over(), vigil.LongestPause)
	defer cancel()
	id := g.Node().ID
	m, err := b.link.conn.RequestMsgWithContext(bound, &natsgo.Msg{
		Subject: b.layout.questions(id),
		Header:  natsgo.Header{headerNode: {b.id}, headerCall: {"1"}},
	})
	switch {
	case errors.Is(err, natsgo.ErrNoResponders):
		b.vigils.GiveUp(g)
	case err == nil && len(m.Header[headerLife]) > 0:
		b.vigils.Heard(broker.NodeState{ID: id, Incarnation: header(m.Header, headerLife)})
	}
}

// heed answers a call at once, however many questions are being answered.
func (b *Broker) heed(call *natsgo.Msg) {
	b.nodes.mu.Lock()
	life := b.nodes.self.Incarnation
	b.nodes.mu.Unlock()
	b.respond(call, &natsgo.Msg{Header: natsgo.Header{headerLife: {life}}})
}
