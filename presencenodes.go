package finch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// party is the part of a room's members that another node has, as far as a node
// with watchers has been told. What it is told is how each name stands now, so
// that telling it again changes nothing.
type party struct {
	seq     uint64 // of the last news
	people  people
	loading bool
	missed  []partyNews // while loading
	first   bool        // no watcher has been answered without it: there is nobody to tell what it brings
	failed  error       // of the last load
}

type partyPerson struct {
	Name    string          `json:"n"`
	Devices int             `json:"d,omitempty"`
	Since   int64           `json:"s,omitempty"`
	User    bool            `json:"u,omitempty"`
	Data    json.RawMessage `json:"x,omitempty"`
}

func (who *person) asParty() partyPerson {
	return partyPerson{who.name, int(who.devices), who.since, who.user, who.shows()}
}

func (who *partyPerson) person() *person {
	return &person{who.Name, who.Since, int32(who.Devices), who.User, string(who.Data)}
}

// partyBytes bounds what nodes tell each other of members at once.
const partyBytes = 256 << 10

// partyMost bounds it by what the broker carries, too: what people show of
// themselves may be long.
func (p *presence) partyMost() int {
	return min(partyBytes, p.manager.node.broker.Caps().MaxPayload/2)
}

// size is at most what it takes: in JSON a byte of a name may be six.
func (who *partyPerson) size() int { return 64 + 6*len(who.Name) + len(who.Data) }

// apply takes notice of how a name stands; the roster is locked.
func (p *presence) apply(r *roster, of *party, who *partyPerson) {
	if who.Devices == 0 && of.people.get(who.Name) == nil {
		return
	}
	if !of.first {
		p.stir(r, who.Name)
	}
	if who.Devices == 0 {
		of.people.drop(who.Name)
		return
	}
	of.people.put(who.person())
}

// merged answers how a name stands on all nodes that are known; nil if nowhere.
func (r *roster) merged(name string) *person {
	all := r.people.get(name)
	for _, of := range r.elsewhere {
		who := of.people.get(name)
		switch {
		case who == nil:
		case all == nil:
			all = who
		default:
			both := *all
			both.devices += who.devices
			both.since = min(both.since, who.since)
			if who.since < all.since && who.data != "" || both.data == "" {
				both.data = who.data
			}
			all = &both
		}
	}
	return all
}

// names answers all names, on all nodes that are known.
func (r *roster) names() map[string]struct{} {
	all := make(map[string]struct{}, r.people.len())
	for who := range r.people.all() {
		all[who.name] = struct{}{}
	}
	for _, of := range r.elsewhere {
		for who := range of.people.all() {
			all[who.name] = struct{}{}
		}
	}
	return all
}

// follow begins to know the members on other nodes, because somebody watches.
func (p *presence) follow(ctx context.Context, room string) error {
	n := p.manager.node
	if !n.caps.Cluster {
		return nil
	}
	shares, _, err := n.elsewhere(ctx, hub.Address{Kind: hub.Room, Name: room})
	if err != nil {
		return err
	}
	r := p.lock(room, true)
	var loads []*party
	first := r.elsewhere == nil
	if first {
		r.elsewhere = make(map[string]*party)
	}
	p.compareLater()
	for _, s := range shares {
		of := r.elsewhere[s.Node.ID]
		if of == nil || of.failed != nil {
			of = p.load(r, s.Node.ID)
			of.first = of.first || first
			loads = append(loads, of)
		} else if of.first { // another watcher waits for it too
			loads = append(loads, of)
		}
	}
	p.unlock(r)
	for _, of := range loads { // so that the answer has them all
		for {
			loading, err := p.isLoading(room, of)
			if err != nil && !errors.Is(err, broker.ErrUnknownNode) {
				return err
			}
			if !loading {
				break
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(loadPoll):
			}
		}
	}
	return nil
}

// unfollow forgets the members on other nodes if nobody here watches.
func (p *presence) unfollow(room string) {
	if r := p.lock(room, false); r != nil {
		if p.manager.hub.Count(hub.Address{Kind: hub.Watch, Name: room}) == 0 {
			r.elsewhere = nil
		}
		p.unlock(r)
	}
}

// loadPoll is how often a watch looks whether another node has answered.
const loadPoll = 5 * time.Millisecond

// isLoading tells whether a party is on its way, and if not, why it did not come.
func (p *presence) isLoading(room string, of *party) (loading bool, failed error) {
	r := p.lock(room, false)
	if r == nil {
		return false, nil
	}
	defer p.unlock(r)
	return of.loading, of.failed
}

// load asks a node for its part anew. The roster is locked.
func (p *presence) load(r *roster, node string) *party {
	of := r.elsewhere[node]
	if of == nil {
		of = &party{}
		r.elsewhere[node] = of
	}
	if !of.loading {
		of.loading, of.missed, of.failed = true, nil, nil
		go p.fetch(r.room, node, of)
	}
	return of
}

// loadTimeout bounds the questions of one load.
const loadTimeout = 10 * time.Second

// fetch asks a node for all of its part and takes it over.
func (p *presence) fetch(room, node string, of *party) {
	ctx, cancel := context.WithTimeout(p.manager.alive, loadTimeout)
	defer cancel()
	people := make(map[string]*partyPerson)
	seq, first := uint64(0), true
	var err error
	for after, more := "", true; more && err == nil; {
		var page partyPage
		if page, err = p.manager.node.askParty(ctx, node, room, after); err != nil {
			break
		}
		if first {
			seq, first = page.Seq, false // what came since is in missed, or in later pages too
		}
		for i := range page.People {
			who := &page.People[i]
			people[who.Name] = who
			after = who.Name
		}
		more = page.More && len(page.People) > 0
	}
	r := p.lock(room, false)
	if r == nil {
		return
	}
	defer p.unlock(r)
	missed := of.missed
	of.loading, of.missed, of.failed = false, nil, err
	defer func() { of.first = false }()
	if r.elsewhere[node] != of {
		return // it has been let go of
	}
	if err != nil {
		// A node that has gone takes its members with it; of one that does not
		// answer, what is known stays, and its next news asks again.
		if errors.Is(err, broker.ErrUnknownNode) {
			p.lose(r, node)
		}
		of.seq = 0
		return
	}
	for _, who := range slices.Collect(of.people.all()) {
		if people[who.name] == nil {
			p.apply(r, of, &partyPerson{Name: who.name})
		}
	}
	for _, who := range people {
		p.apply(r, of, who)
	}
	of.seq = seq
	for _, told := range missed {
		switch {
		case told.Seq <= of.seq:
		case told.Seq > of.seq+1:
			p.load(r, node)
			return
		default:
			of.seq = told.Seq
			for i := range told.People {
				p.apply(r, of, &told.People[i])
			}
		}
	}
}

// lose takes the members of a node away. The roster is locked.
func (p *presence) lose(r *roster, node string) {
	if of := r.elsewhere[node]; of != nil {
		for who := range of.people.all() {
			p.stir(r, who.name)
		}
		delete(r.elsewhere, node)
	}
}

// each calls f with every roster that knows other nodes' members, locked.
func (p *presence) each(f func(*roster)) {
	p.mu.Lock()
	rooms := slices.Collect(maps.Keys(p.rosters))
	p.mu.Unlock()
	for _, room := range rooms {
		if r := p.lock(room, false); r != nil {
			if r.elsewhere != nil {
				f(r)
			}
			p.unlock(r)
		}
	}
}
