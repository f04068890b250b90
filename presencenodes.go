package finch

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
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

// partyNews is what a node tells the others about its part of a room.
type partyNews struct {
	Seq    uint64        `json:"seq"`
	People []partyPerson `json:"people,omitempty"` // how they stand now; no devices: they left
}

// partyPage is a part of a node's members, in the order of their names.
type partyPage struct {
	Seq    uint64        `json:"seq"` // of the node's news that are in it
	People []partyPerson `json:"people"`
	Count  int           `json:"count"`
	More   bool          `json:"more"`
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
