package finch

import (
	"context"
	"encoding/binary"
	"time"
)

// compareEvery is how often a node asks the others whether it has heard all
// their news of the rooms that somebody watches here: the last news of a room
// that is then quiet leaves no gap when it is lost.
const compareEvery = 30 * time.Second

// compareLater plans the next comparison, unless one is planned.
func (p *presence) compareLater() {
	if p.comparing.CompareAndSwap(false, true) {
		time.AfterFunc(compareEvery, p.compareAll)
	}
}

// compareAll asks the nodes of each room that is watched how far their news go,
// and loads what was missed.
func (p *presence) compareAll() {
	p.comparing.Store(false)
	n := p.manager.node
	if p.manager.alive.Err() != nil || !n.started.Load() {
		return
	}
	type part struct{ room, node string }
	var parts []part
	p.each(func(r *roster) {
		for node := range r.elsewhere {
			parts = append(parts, part{r.room, node})
		}
	})
	if len(parts) > 0 {
		p.compareLater()
	}
	ctx, cancel := context.WithTimeout(p.manager.alive, compareEvery)
	defer cancel()
	for _, at := range parts {
		b, err := n.broker.Ask(ctx, at.node, append([]byte{askNews}, at.room...))
		seq, size := binary.Uvarint(b)
		if err != nil || size <= 0 {
			continue // whether it lives is the broker's to say
		}
		if r := p.lock(at.room, false); r != nil {
			if of := r.elsewhere[at.node]; of != nil && !of.loading && of.seq != seq {
				p.load(r, at.node)
			}
			p.unlock(r)
		}
	}
}

// news answers askNews: how far the news of a room go.
func (p *presence) news(room string) []byte {
	seq := uint64(0)
	if r := p.lock(room, false); r != nil {
		seq = r.seq
		p.unlock(r)
	}
	return binary.AppendUvarint(nil, seq)
}
