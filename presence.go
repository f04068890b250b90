package finch

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/protocol"
)

// Member is one of those who are in a room with presence: a user with all
// devices, or an anonymous client.
type Member struct {
	// Name is the user, or an anonymous client's id ([Session.Name]).
	Name string
	// User is the same, and empty for an anonymous client.
	User string
	// Devices is how many clients of theirs are in the room.
	Devices int
	// Since is when the first of these came.
	Since time.Time
	// Data is what they show of themselves; see [RoomOptions].PresenceData. It
	// must not be changed.
	Data json.RawMessage
}

// presence knows who is in the rooms with presence on this node. A client is
// counted once in each room until it leaves it or its session ends, so that a
// reconnect shows nobody anything.
type presence struct {
	manager *SocketManager

	mu      sync.Mutex
	rosters map[string]*roster
	stirred []*roster // with changes that are not told yet

	comparing atomic.Bool   // compareAll is planned
	births    atomic.Uint64 // rosters that were made

	complaint hints // bounds what is logged of news that could not be told

	hearing sync.Mutex // guards unheard
	unheard []heard    // news of other nodes
}

// roster is who is in one room.
type roster struct {
	room string

	mu      sync.Mutex // guards everything below; taken after presence.mu
	people  people
	changes map[string]bool // names that changed, and whether watchers had been told of them
	gone    bool            // it is not in presence.rosters any more

	// In a cluster:
	seq       uint64              // of the last news to the other nodes
	own       map[string]struct{} // names that changed here since
	elsewhere map[string]*party   // by node; nil while nobody watches here
}

// presencePause is how long changes are gathered before watchers are told:
// too short to be noticed, and a crowd that arrives is told of once.
const presencePause = 250 * time.Millisecond

// presenceMost is how many changes are listed at once; watchers of more ask
// again.
const presenceMost = 500

// lock answers the roster of a room, locked; nil if there is none and it is not
// to be made.
func (p *presence) lock(room string, wanted bool) *roster {
	for {
		p.mu.Lock()
		r := p.rosters[room]
		if r == nil {
			if !wanted {
				p.mu.Unlock()
				return nil
			}
			// A roster that is made anew must not be taken for the one before it, by nodes
			// that have missed the end of that.
			r = &roster{room: room, seq: p.births.Add(1) << 32}
			if p.rosters == nil {
				p.rosters = make(map[string]*roster)
			}
			p.rosters[room] = r
		}
		p.mu.Unlock()
		r.mu.Lock()
		if !r.gone {
			return r
		}
		r.mu.Unlock()
	}
}

// unlock ends what lock began: a roster without people is let go of.
func (p *presence) unlock(r *roster) {
	empty := r.idle()
	r.mu.Unlock()
	if !empty {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.idle() && !r.gone {
		r.gone = true
		delete(p.rosters, r.room)
	}
}

func (r *roster) idle() bool {
	return r.people.len() == 0 && r.changes == nil && r.elsewhere == nil
}

// stir notes that a name changes, before it does. The roster is locked.
func (p *presence) stir(r *roster, name string) {
	if r.changes == nil {
		r.changes = make(map[string]bool, 1)
		go p.awaken(r)
	}
	if _, ok := r.changes[name]; !ok {
		r.changes[name] = r.merged(name) != nil
	}
}

// stirOwn is stir for a change of this node's own members.
func (p *presence) stirOwn(r *roster, name string) {
	p.stir(r, name)
	if p.manager.node.caps.Cluster {
		if r.own == nil {
			r.own = make(map[string]struct{}, 1)
		}
		r.own[name] = struct{}{}
	}
}

// awaken plans that the watchers of a roster are told.
func (p *presence) awaken(r *roster) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stirred = append(p.stirred, r); len(p.stirred) == 1 {
		time.AfterFunc(presencePause, p.tell)
	}
}

func (p *presence) tell() {
	p.mu.Lock()
	stirred := p.stirred
	p.stirred = nil
	p.mu.Unlock()
	for _, r := range stirred {
		r.mu.Lock()
		p.flush(r)
		p.unlock(r)
	}
}

// flush tells what has changed so far. The roster is locked.
func (p *presence) flush(r *roster) {
	p.report(r)
	p.tellWatchers(r)
	r.changes = nil
}

// add counts one more device of a name.
func (p *presence) add(room, name string, user bool, data json.RawMessage) seat {
	r := p.lock(room, true)
	defer p.unlock(r)
	p.stirOwn(r, name)
	who := r.people.get(name)
	if who == nil {
		who = &person{name: name, since: time.Now().UnixMilli(), user: user}
		r.people.put(who)
	}
	who.devices++
	if data != nil {
		who.data = string(data)
	}
	return seat{r, who}
}

// remove counts one device less. Whoever has the seat gives it up.
func (p *presence) remove(at seat) {
	r, who := at.roster, at.who
	r.mu.Lock()
	defer p.unlock(r)
	p.stirOwn(r, who.name)
	if who.devices--; who.devices <= 0 {
		r.people.drop(who.name)
	}
}

// show sets what a name shows of itself; false if it is not in the room.
func (p *presence) show(room, name string, data json.RawMessage) bool {
	r := p.lock(room, false)
	if r == nil {
		return false
	}
	defer p.unlock(r)
	who := r.people.get(name)
	if who == nil {
		return false
	}
	p.stirOwn(r, name)
	who.data = string(data)
	return true
}

// page answers up to limit members behind a name, in the order of names, and
// how many there are; more tells that there are further ones. In a large room
// its cost grows with the number of members, but not while others wait.
func (p *presence) page(room, after string, limit int) (members []Member, count int, more bool) {
	r := p.lock(room, false)
	if r == nil {
		return nil, 0, false
	}
	all := r.names()
	p.unlock(r)
	names, more := first(all, after, limit)
	if r = p.lock(room, false); r == nil {
		return nil, 0, false
	}
	defer p.unlock(r)
	return r.members(names), len(all), more
}

// pageForWatcher is page, of a roster that is locked, for somebody who is told
// of changes: those before it are told first, so that whatever is told later
// changes what the page says.
func (p *presence) pageForWatcher(r *roster, after string, limit int) (members []Member, count int, more bool) {
	p.flush(r)
	all := r.names()
	names, more := first(all, after, limit)
	return r.members(names), len(all), more
}

// first answers the first names behind one, in order, and whether there are more.
func first(all map[string]struct{}, after string, limit int) (names []string, more bool) {
	names = make([]string, 0, len(all))
	for name := range all {
		if name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names[:min(limit, len(names))], len(names) > limit
}

// members answers those of some names who are here. The roster is locked.
func (r *roster) members(names []string) (members []Member) {
	for _, name := range names {
		if who := r.merged(name); who != nil {
			members = append(members, who.member())
		}
	}
	return members
}

// pageOf is page on all nodes: from what is known here where somebody watches,
// else by asking.
func (p *presence) pageOf(ctx context.Context, room, after string, limit int) (members []Member, count int, more bool, err error) {
	if !p.manager.node.caps.Cluster || p.watched(room) {
		members, count, more = p.page(room, after, limit)
		return members, count, more, nil
	}
	return p.pageElsewhere(ctx, room, after, limit)
}

// watched tells whether the members of a room on other nodes are known here.
func (p *presence) watched(room string) bool {
	r := p.lock(room, false)
	if r == nil {
		return false
	}
	defer p.unlock(r)
	return r.elsewhere != nil
}

// memberPage is how many members are read at once.
const memberPage = 1000

// Members returns who is in the room, in the order of their names, if it was
// declared with Presence; nobody otherwise. Who comes or goes meanwhile may be
// missing or not.
func (r Room) Members(ctx context.Context) iter.Seq2[Member, error] {
	return func(yield func(Member, error) bool) {
		for after, more := "", true; more; {
			if err := ctx.Err(); err != nil {
				yield(Member{}, err)
				return
			}
			var page []Member
			var err error
			page, _, more, err = r.manager.presence.pageOf(ctx, r.at.Name, after, memberPage)
			if err != nil {
				yield(Member{}, err)
				return
			}
			for _, who := range page {
				if !yield(who, nil) {
					return
				}
				after = who.Name
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// SetPresence sets what others see of the socket's client in a room with
// presence, besides its name: any JSON. An [Error] 403 not_in_room is returned
// if it is not in the room.
func (s *Socket) SetPresence(room string, data any) error {
	raw, err := marshal(data)
	if err != nil {
		return err
	}
	if !s.manager.presence.show(room, s.name(), raw) {
		return Errorf(protocol.StatusForbidden, protocol.RefusalNotInRoom, "the socket is not in the room, or the room has no presence")
	}
	return nil
}

// shownAs asks the app what a socket shows in a room with presence.
func (s *Socket) shownAs(ctx context.Context, d *declared, room string) (json.RawMessage, error) {
	if d.PresenceData == nil {
		return nil, nil
	}
	var data any
	err := s.manager.guard("PresenceData", func() (err error) {
		data, err = d.PresenceData(ctx, s, room)
		return err
	})
	if err != nil || data == nil {
		return nil, err
	}
	return marshal(data)
}
