package finch

import (
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// partyNews is what a node tells the others about its part of a room.
type partyNews struct {
	Seq    uint64        `json:"seq"`
	People []partyPerson `json:"people,omitempty"` // how they stand now; no devices: they left
}

// report tells the other nodes what has changed here. The roster is locked, and
// stays so while the broker takes it, so that news keep their order.
func (p *presence) report(r *roster) {
	n := p.manager.node
	if len(r.own) == 0 {
		return
	}
	own := r.own
	r.own = nil
	if len(n.broker.Nodes()) < 2 {
		r.seq++
		return
	}
	var people []partyPerson
	size, most := 0, p.partyMost()
	for name := range own {
		who := partyPerson{Name: name}
		if stands := r.people.get(name); stands != nil {
			who = stands.asParty()
		}
		if size += who.size(); size > most && len(people) > 0 {
			p.tellNodes(r, people)
			people, size = nil, who.size()
		}
		people = append(people, who)
	}
	p.tellNodes(r, people)
}

// tellNodes tells the other nodes how some stand. The roster is locked.
func (p *presence) tellNodes(r *roster, people []partyPerson) {
	n := p.manager.node
	r.seq++
	body, err := json.Marshal(partyNews{r.seq, people})
	if err == nil {
		err = n.broadcast(hub.Address{Kind: hub.Room, Name: r.room}, &news{kind: newsPresence, body: body})
	}
	switch { // they find the gap with the next
	case err == nil, errors.Is(err, broker.ErrClosed):
	case errors.Is(err, broker.ErrUnavailable) && broker.State(n.state.Load()) != broker.Connected:
		// That the broker is away has been said, and there may be many who come and go.
	case p.complaint.take(time.Now()):
		p.manager.logger.Warn("finch: other nodes do not learn who is in a room", "room", r.room, "error", err)
	}
}

// heard is news of another node that waits to be taken notice of.
type heard struct {
	room, from string
	body       []byte
}

// hear takes the news of another node. It does not wait: whoever tells it may be
// about to hear from this node.
func (p *presence) hear(room, from string, body []byte) {
	p.hearing.Lock()
	defer p.hearing.Unlock()
	p.unheard = append(p.unheard, heard{room, from, body})
	if len(p.unheard) == 1 {
		go p.listen()
	}
}

// listen takes notice of all that was heard, in its order.
func (p *presence) listen() {
	for {
		p.hearing.Lock()
		batch := slices.Clone(p.unheard)
		p.hearing.Unlock()
		for _, h := range batch {
			p.notice(h.room, h.from, h.body)
		}
		p.hearing.Lock()
		p.unheard = slices.Delete(p.unheard, 0, len(batch))
		done := len(p.unheard) == 0
		if done {
			p.unheard = nil
		}
		p.hearing.Unlock()
		if done {
			return
		}
	}
}

func (p *presence) notice(room, from string, body []byte) {
	var told partyNews
	if err := json.Unmarshal(body, &told); err != nil {
		p.manager.logger.Error("finch: another node's presence cannot be read", "node", from, "error", err)
		return
	}
	r := p.lock(room, false)
	if r == nil {
		return
	}
	defer p.unlock(r)
	if r.elsewhere == nil {
		return // nobody watches here
	}
	of := r.elsewhere[from]
	switch {
	case of == nil:
		p.load(r, from)
	case of.loading:
		of.missed = append(of.missed, told)
	case told.Seq != of.seq+1:
		p.load(r, from)
	default:
		of.seq = told.Seq
		for i := range told.People {
			p.apply(r, of, &told.People[i])
		}
	}
}
