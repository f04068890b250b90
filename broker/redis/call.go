package redis

import (
	"context"

	"github.com/finch-go/finch/internal/vigil"
)

// Frames of a call, besides those in frame.go.
const (
	frameCall = 'l' // on a node's channel: are you there; text is the caller
	frameHere = 'h' // on the caller's channel: text is the node, rest its incarnation
)

// call asks whether a node is there for which questions wait.
func (b *Broker) call(g *vigil.Vigil) {
	ctx, cancel := context.WithTimeout(b.life, b.options.Timeout)
	defer cancel()
	told, err := b.say(ctx, b.names.channel(kindNode, g.Node().ID), newFrame(frameCall, 0, b.node, nil))
	switch {
	case err != nil && b.life.Err() == nil:
		b.suspect(err)
	case err == nil && told == 0:
		b.questions.vigils.GiveUp(g)
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
