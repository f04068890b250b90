package finch

import (
	"context"
	"encoding/binary"
	"maps"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

// compareEvery is how often a node asks the others whether it has heard all
// their news of the rooms that somebody watches here: the last news of a room
// that is then quiet leaves no gap when it is lost.
const compareEvery = 30 * time.Second

// compareRooms is how many rooms one question is about.
const compareRooms = 200

// compareLater plans the next comparison, unless one is planned.
func (p *presence) compareLater() {
	if p.comparing.CompareAndSwap(false, true) {
		time.AfterFunc(compareEvery, p.compareAll)
	}
}

// compareAll asks all nodes how far their news go of the rooms that are watched,
// and loads what was missed. A node that is not known to have members in a room is
// asked too: the news of its first may be what was lost.
func (p *presence) compareAll() {
	p.comparing.Store(false)
	n := p.manager.node
	if p.manager.alive.Err() != nil || !n.started.Load() {
		return
	}
	var rooms []string
	p.each(func(r *roster) {
		p.loseDead(r)
		rooms = append(rooms, r.room)
	})
	if len(rooms) == 0 {
		return
	}
	p.compareLater()
	ctx, cancel := context.WithTimeout(p.manager.alive, compareEvery)
	defer cancel()
	for _, other := range n.broker.Nodes() {
		if other.ID == n.id {
			continue
		}
		for part := range slices.Chunk(rooms, compareRooms) {
			if p.compare(ctx, other.ID, part) != nil {
				break // whether it lives is the broker's to say
			}
		}
	}
}

// compare asks one node.
func (p *presence) compare(ctx context.Context, node string, rooms []string) error {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	question := []byte{askNews}
	for _, room := range rooms {
		question = appendText(question, room)
	}
	rest, err := p.manager.node.broker.Ask(ctx, node, question)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		seq, size := binary.Uvarint(rest)
		if size <= 0 {
			return errQuestion
		}
		rest = rest[size:]
		r := p.lock(room, false)
		if r == nil {
			continue
		}
		if r.elsewhere != nil {
			of := r.elsewhere[node]
			if of == nil && seq != 0 || of != nil && !of.loading && (of.failed != nil || of.seq != seq) {
				p.load(r, node)
			}
		}
		p.unlock(r)
	}
	return nil
}

// news answers askNews: how far the news of rooms go. Zero is for a room in which
// nobody is.
func (p *presence) news(question []byte) (answer []byte, err error) {
	for len(question) > 0 {
		room, rest, ok := cutText(question)
		if !ok {
			return nil, errQuestion
		}
		question = rest
		seq := uint64(0)
		if r := p.lock(room, false); r != nil {
			seq = r.seq
			p.unlock(r)
		}
		answer = binary.AppendUvarint(answer, seq)
	}
	return answer, nil
}

// look brings what is known of a node's members up to date, when it is said to
// have come or to have gone. What was said may have been overtaken meanwhile, so
// that the broker is asked what is true now. A node that was taken for dead has
// nothing to tell if nobody comes or goes there: it is asked.
func (p *presence) look(node string) {
	p.each(func(r *roster) {
		switch {
		case p.lives(node):
			p.load(r, node)
		case p.connected():
			p.lose(r, node)
		}
	})
}

// reconnected makes sure of the other nodes' members after a time in which news
// may have been lost.
func (p *presence) reconnected() {
	p.each(func(r *roster) {
		p.loseDead(r)
		for node := range r.elsewhere {
			p.load(r, node)
		}
	})
}

// loseDead takes the members of nodes away that do not live. The roster is locked.
func (p *presence) loseDead(r *roster) {
	if !p.connected() {
		return
	}
	for node := range maps.Clone(r.elsewhere) {
		if !p.lives(node) {
			p.lose(r, node)
		}
	}
}

func (p *presence) lives(node string) bool {
	return slices.ContainsFunc(p.manager.node.broker.Nodes(), func(n broker.NodeState) bool { return n.ID == node })
}

// connected is false while it is perhaps this node that is cut off: whom it does
// not see it must not call dead.
func (p *presence) connected() bool {
	return broker.State(p.manager.node.state.Load()) == broker.Connected
}
