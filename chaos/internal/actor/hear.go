package actor

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/chaos/internal/story"
	"github.com/finch-go/finch/protocol"
)

// told is what the server says of a room.
type told struct {
	Room      string
	Position  string
	Recovered *bool
	Missed    int
	Reason    string
	Ticket    string
	Delay     *int64
	Error     *protocol.Error
}

// take handles one envelope.
func (a *Actor) take(e protocol.Envelope) {
	a.heard, a.pinged = time.Now(), false
	if !e.Reply.IsZero() {
		if then := a.pending[e.Reply]; then != nil {
			delete(a.pending, e.Reply)
			then(e)
		}
		return
	}
	if e.Position != "" && e.Path != protocol.PathPosition {
		a.takeMessage(e)
		return
	}
	var t told
	if protocol.IsFrameworkPath(e.Path) && e.Path != protocol.PathPresence {
		if err := json.Unmarshal(e.Data, &t); err != nil {
			a.broken("bad word", e.Room, fmt.Sprintf("%s: %v: %s", e.Path, err, e.Data))
			return
		}
	}
	if t.Ticket != "" {
		a.ticket = t.Ticket
	}
	switch e.Path {
	case protocol.PathJoined:
		a.letIn(a.places[t.Room], t)
	case protocol.PathReset:
		a.resetTo(a.places[t.Room], t)
	case protocol.PathLeft:
		a.putOut(a.places[t.Room], t.Error)
	case protocol.PathLagged:
		a.saw(story.Event{Room: t.Room, Kind: story.Lagged})
	case protocol.PathPosition:
		if p := a.places[t.Room]; p != nil && !p.behind() {
			p.position = t.Position
			a.saw(story.Event{Room: t.Room, Kind: story.Moved, Position: t.Position})
		}
	case protocol.PathPresence:
		a.takeRoll(e)
	case protocol.PathDrain:
		if t.Delay != nil {
			a.slot = time.Now().Add(time.Duration(*t.Delay) * time.Millisecond)
		}
	}
}

// behind tells whether recorded messages are to be dropped: they come again; or
// they are of a stay that it has ended.
func (p *place) behind() bool { return p.waiting }

func (a *Actor) takeMessage(e protocol.Envelope) {
	p := a.places[e.Room]
	if p == nil || p.behind() {
		return // of a room that is being left, or it comes again
	}
	p.position = e.Position
	a.saw(story.Event{Room: e.Room, Kind: story.Got, Position: e.Position, Key: e.Key})
}

// letIn takes finch.joined, and the answer of finch.join.
func (a *Actor) letIn(p *place, t told) {
	if p == nil {
		return
	}
	shown := p.shown
	p.waiting, p.in, p.shown, p.enrolled = false, true, "", p.club
	p.position = t.Position
	if t.Recovered != nil && *t.Recovered {
		a.saw(story.Event{Room: p.room, Kind: story.Recovered, Position: t.Position, Shown: shown, Missed: t.Missed})
	} else {
		a.saw(story.Event{Room: p.room, Kind: story.Joined, Position: t.Position, Shown: shown})
	}
	a.entered(p)
}

func (a *Actor) resetTo(p *place, t told) {
	if p == nil {
		return
	}
	shown := p.shown
	p.waiting, p.in, p.shown, p.enrolled = false, true, "", p.club
	p.position = t.Position
	a.saw(story.Event{Room: p.room, Kind: story.Reset, Position: t.Position, Shown: shown, Reason: t.Reason})
	a.entered(p)
}

// entered asks for changes of presence, on each connection once.
func (a *Actor) entered(p *place) {
	if p.watches && p.members == nil {
		a.watch(p)
	}
}

// putOut takes finch.left: the actor comes back, if it may.
func (a *Actor) putOut(p *place, e *protocol.Error) {
	if p == nil {
		return
	}
	p.waiting, p.in = false, false
	if e != nil && e.Code == protocol.RefusalUnavailable {
		a.saw(story.Event{Room: p.room, Kind: story.Away, Reason: "unavailable"})
		p.again = time.Now().Add(a.between(50*time.Millisecond, 500*time.Millisecond))
		return
	}
	a.saw(story.Event{Room: p.room, Kind: story.Expelled, Reason: fmt.Sprint(e)})
	p.again = time.Now().Add(a.between(50*time.Millisecond, 500*time.Millisecond))
}

// join asks to be let in, from where the actor stands.
func (a *Actor) join(p *place) {
	if p.club {
		a.enroll(p)
		return
	}
	position := p.position
	p.shown, p.waiting, p.again = position, true, time.Now().Add(roomLimit)
	a.request(protocol.PathJoin, map[string]string{"room": p.room, "position": position}, func(e protocol.Envelope) {
		if a.places[p.room] != p {
			return // it has left meanwhile
		}
		p.shown = position // its hello may have been answered meanwhile, and this is about what it showed then
		var t told
		switch {
		case e.Error != nil:
			a.putOut(p, e.Error)
		case json.Unmarshal(e.Data, &t) != nil:
			a.broken("bad word", p.room, fmt.Sprintf("join was answered %s", e.Data))
		case t.Recovered != nil && !*t.Recovered:
			a.resetTo(p, t)
		default:
			a.letIn(p, t)
		}
	})
}

// enroll asks the server to put the actor into a club. It is told by finch.joined. A
// club of the session comes back with it, from where the actor stands, and cannot be
// joined: it comes back once more.
func (a *Actor) enroll(p *place) {
	if p.enrolled {
		a.giveUp()
		return
	}
	p.waiting, p.again = true, time.Now().Add(roomLimit)
	a.request(server.Enroll, p.room, func(e protocol.Envelope) {
		if e.Error != nil && a.places[p.room] == p && !p.in {
			p.waiting, p.again = false, time.Now().Add(a.between(50*time.Millisecond, 500*time.Millisecond))
		}
	})
}

// watch asks who is there, and for changes.
func (a *Actor) watch(p *place) {
	a.request(protocol.PathPresence, map[string]any{"room": p.room, "watch": true}, func(e protocol.Envelope) {
		var r roll
		if e.Error == nil && json.Unmarshal(e.Data, &r) == nil && a.places[p.room] == p {
			p.members = r.listed()
		}
	})
}

// takeRoll takes changes of presence.
func (a *Actor) takeRoll(e protocol.Envelope) {
	p := a.places[e.Room]
	var r roll
	if p == nil || json.Unmarshal(e.Data, &r) != nil {
		return
	}
	if r.Partial {
		a.watch(p)
		return
	}
	if p.members != nil {
		r.apply(p.members)
	}
}

// askAll asks for who is in the actor's rooms.
func (a *Actor) askAll() {
	for _, room := range a.sortedRooms() {
		p := a.places[room]
		if !p.in || a.sock == nil {
			continue
		}
		at := a.world.Now()
		a.request(protocol.PathPresence, map[string]any{"room": room}, func(e protocol.Envelope) {
			var r roll
			if e.Error == nil && json.Unmarshal(e.Data, &r) == nil {
				p.asked, p.askedAt = r.listed(), at
			}
		})
		if p.watches && p.members == nil && a.sock != nil {
			a.watch(p)
		}
	}
}
