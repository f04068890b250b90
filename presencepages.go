package finch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// partyPage is a part of a node's members, in the order of their names.
type partyPage struct {
	Seq    uint64        `json:"seq"` // of the node's news that are in it
	People []partyPerson `json:"people"`
	Count  int           `json:"count"`
	More   bool          `json:"more"`
}

// askParty asks a node for a page of its part of a room.
func (n *node) askParty(ctx context.Context, node, room, after string) (page partyPage, err error) {
	question := appendText([]byte{askMembers}, room)
	b, err := n.broker.Ask(ctx, node, append(question, after...))
	if err != nil {
		return page, err
	}
	return page, json.Unmarshal(b, &page)
}

// party answers askMembers.
func (p *presence) party(question []byte) ([]byte, error) {
	room, after, ok := cutText(question)
	if !ok {
		return nil, errQuestion
	}
	page := partyPage{People: []partyPerson{}}
	if r := p.lock(room, false); r != nil {
		p.report(r) // so that the page and its number agree
		var behind []*person
		for who := range r.people.all() {
			if who.name > string(after) {
				behind = append(behind, who)
			}
		}
		slices.SortFunc(behind, func(a, b *person) int { return strings.Compare(a.name, b.name) })
		page.Seq, page.Count, page.More = r.seq, r.people.len(), len(behind) > memberPage
		size, most := 0, p.partyMost()
		for _, one := range behind[:min(len(behind), memberPage)] {
			who := one.asParty()
			if size += who.size(); size > most && len(page.People) > 0 {
				page.More = true
				break
			}
			page.People = append(page.People, who)
		}
		p.unlock(r)
	}
	return json.Marshal(page)
}

// pageElsewhere answers a page of a room's members on all nodes, from asking
// each: for who does not watch.
func (p *presence) pageElsewhere(ctx context.Context, room, after string, limit int) (members []Member, count int, more bool, err error) {
	shares, _, err := p.manager.node.elsewhere(ctx, hub.Address{Kind: hub.Room, Name: room})
	if err != nil {
		return nil, 0, false, err
	}
	all := roster{room: room, elsewhere: map[string]*party{}}
	end := "" // beyond this name some node has said nothing
	own, n, cut := p.page(room, after, limit)
	count += n
	if cut {
		end = own[len(own)-1].Name
	}
	for _, m := range own {
		all.people.put(&person{m.Name, m.Since.UnixMilli(), int32(m.Devices), m.User != "", string(m.Data)})
	}
	for _, s := range shares {
		page, err := p.manager.node.askParty(ctx, s.Node.ID, room, after)
		switch {
		case errors.Is(err, broker.ErrUnknownNode):
			continue // it has just gone
		case err != nil:
			return nil, 0, false, err
		}
		of := &party{}
		all.elsewhere[s.Node.ID] = of
		count += page.Count
		for i := range page.People {
			of.people.put(page.People[i].person())
		}
		if page.More && len(page.People) > 0 {
			if last := page.People[len(page.People)-1].Name; end == "" || last < end {
				end = last
			}
		}
	}
	names := slices.SortedFunc(maps.Keys(all.names()), strings.Compare)
	for _, name := range names {
		if end != "" && name > end || len(members) == limit {
			more = true
			break
		}
		members = append(members, all.merged(name).member())
	}
	return members, count, more || end != "", nil
}
