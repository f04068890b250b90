package finch

import (
	"encoding/json"
	"slices"

	"github.com/finch-go/finch/internal/hub"
)

// seat is a room that shows a client, and the name that it has there. It counts
// as one of the name's devices, so that the two exist as long as the seat does.
type seat struct {
	roster *roster
	who    *person
}

func (at seat) isIn(room string) bool { return at.roster.room == room }

// enter shows a socket's client in a room; once, however often it enters. It is
// counted before it has the seat: whoever takes the seat away counts it out.
func (p *presence) enter(room string, s *Socket, data json.RawMessage) {
	for again := true; again; {
		if s.seated(room) {
			return
		}
		at := p.add(room, s.name(), s.User() != "", data)
		var sits bool
		if sits, again = s.sit(at); sits {
			return
		}
		p.remove(at)
	}
}

// seated tells whether a room shows the socket's client.
func (s *Socket) seated(room string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.more != nil && slices.ContainsFunc(s.more.seats, func(at seat) bool { return at.isIn(room) })
}

// sit gives a socket a seat; false if it has ended or has one in the room. again
// tells that the socket has another name by now.
func (s *Socket) sit(at seat) (sits, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extras()
	name := s.User()
	switch {
	case name != "":
	case x.session != nil:
		name = x.session.id
	default:
		name = s.ID()
	}
	switch {
	case s.closing || slices.ContainsFunc(x.seats, func(other seat) bool { return other.roster == at.roster }):
		return false, false
	case at.who.name != name:
		return false, true
	}
	x.seats = append(x.seats, at)
	return true, false
}

// exit ends it.
func (p *presence) exit(room string, s *Socket) {
	s.mu.Lock()
	if s.more == nil {
		s.mu.Unlock()
		return
	}
	i := slices.IndexFunc(s.more.seats, func(at seat) bool { return at.isIn(room) })
	if i < 0 {
		s.mu.Unlock()
		return
	}
	at := s.more.seats[i]
	s.more.seats = slices.Delete(s.more.seats, i, i+1)
	s.mu.Unlock()
	p.remove(at)
}

// handOver takes the seats of a socket that ends, for its session to keep.
func (p *presence) handOver(s *Socket) []seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		return nil
	}
	seats := s.more.seats
	s.more.seats = nil
	return seats
}

// keep gives a socket the seats that its session had. Where its own OnConnect
// has taken one already, there is one too many; and that one may have been taken
// before the socket knew whose it is.
func (p *presence) keep(s *Socket, kept []seat) {
	own := p.handOver(s)
	for _, at := range kept {
		if sits, _ := s.sit(at); !sits {
			p.remove(at)
		}
	}
	for _, at := range own {
		if sits, _ := s.sit(at); sits {
			continue
		}
		data := at.shown()
		p.remove(at)
		p.enter(at.roster.room, s, data)
	}
}

// shown answers what whoever has a seat shows there.
func (at seat) shown() json.RawMessage {
	at.roster.mu.Lock()
	defer at.roster.mu.Unlock()
	return at.who.shows()
}

// vacate gives up the seats in rooms that the socket has not come back into.
func (p *presence) vacate(s *Socket) {
	s.mu.Lock()
	var seats []seat
	if s.more != nil {
		for _, at := range s.more.seats {
			if d := s.doings(); d == nil || d.attending[hub.Address{Kind: hub.Room, Name: at.roster.room}] == nil {
				seats = append(seats, at)
			}
		}
	}
	s.mu.Unlock()
	for _, at := range seats {
		if room := at.roster.room; !p.manager.hub.In(s.member, hub.Address{Kind: hub.Room, Name: room}) {
			p.exit(room, s)
		}
	}
}

// goodbye gives up seats.
func (p *presence) goodbye(seats []seat) {
	for _, at := range seats {
		p.remove(at)
	}
}
