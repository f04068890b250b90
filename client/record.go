package client

import (
	"encoding/json"
	"time"

	"github.com/finch-go/finch/protocol"
)

// codeUnavailable is the one refusal after which a client joins again by itself.
const codeUnavailable = protocol.RefusalUnavailable

// A room is what the client keeps of a room: where it stands and what waits for
// it. Its fields are guarded by the client's mu, and its methods called with it
// held.
type room struct {
	c    *Client
	name string
	place

	wanted  bool // the user joined it
	given   bool // the server joined the session to it
	greeted bool // asked by finch.hello, not by finch.join
	member  bool // on this connection
	leaving bool // finch.leave is under way: what still comes is passed over
	lagging bool // the stream is full: what comes is dropped, and asked for again

	join    *call       // finch.join under way
	again   *time.Timer // to join again; nil: not planned
	refused retry       // how often in a row it was unavailable
	joiners []*joiner

	stream  *stream // nil: messages go to the handlers of On
	readers int     // calls of Events that have not returned

	publishes []*Publishing // not recorded yet, in order
	stalled   bool          // one failed: wait for the others under way, then begin with it again
	pause     *time.Timer   // before the next try; nil: none
	failures  int           // tries that failed, in a row
	window    int           // how many may be under way

	watches []*watch
}

// record returns what is kept of a room, or begins to.
func (c *Client) record(name string) *room {
	r := c.rooms[name]
	if r == nil {
		r = &room{c: c, name: name, refused: c.options.retry(), window: maxWindow}
		c.rooms[name] = r
	}
	return r
}

// tidy forgets a room of which nothing needs to be kept.
func (r *room) tidy() {
	if r.wanted || r.given || r.leaving || r.readers > 0 || len(r.publishes) > 0 || len(r.joiners) > 0 || len(r.watches) > 0 {
		return
	}
	if r.stream != nil && len(r.stream.events) > 0 {
		return // a loop that begins now learns how it ended
	}
	r.clearTimers()
	delete(r.c.rooms, r.name)
}

func (r *room) clearTimers() {
	if r.again != nil {
		r.again.Stop()
		r.again = nil
	}
	if r.pause != nil {
		r.pause.Stop()
		r.pause = nil
	}
}

// takes reports whether a message is to be handled, and moves the position.
func (r *room) takes(m *incoming) bool {
	switch {
	case r.leaving && !r.member:
		return false
	case !r.wanted && !r.given:
		return true // the server has not said that the client is in it: as any other message
	case m.Position == "":
		return r.member && !r.lagging || r.asked && r.greeted
	case r.asked || r.lagging || !r.member:
		return false
	case r.stream != nil && !r.stream.fits(m.size):
		if r.isNew(m.Position) {
			r.lagging = true
			r.tell(&Lagged{Room: r.name})
		}
		return false
	}
	return r.place.takes(m.Position)
}

// tell adds an event to the room's, or returns it if nobody reads these.
func (r *room) tell(e Event) Event {
	if r.stream == nil {
		return e
	}
	r.stream.tell(e)
	return nil
}

// in: the server says that the client is in the room.
func (r *room) in(s *standing) Event {
	fresh := r.asked || r.lagging || !r.member
	recovered := s.Recovered != nil && *s.Recovered && r.text != ""
	reset := s.Recovered != nil && !*s.Recovered
	r.clearTimers()
	r.join, r.asked, r.greeted, r.lagging, r.member, r.stalled = nil, false, false, false, true, false
	r.refused.failures = 0
	var event Event
	switch {
	case reset:
		r.begin(s.Position)
		event = r.tell(&Reset{Room: r.name, Position: s.Position, Reason: s.Reason})
	case recovered: // the messages move it
	case fresh:
		r.begin(s.Position)
	default: // joined once more, in the middle
		r.advance(s.Position)
	}
	joined := &Joined{Room: r.name, Position: r.text, Recovered: recovered, Missed: s.Missed}
	if !reset {
		event = r.tell(joined)
	}
	r.settleJoiners(joined, nil)
	r.staleWatches()
	r.flushPublishes()
	r.c.changed()
	return event
}

// out: the server says that the client is not in the room.
func (r *room) out(s *standing) Event {
	var e *Error
	if s.Error != nil {
		e = &Error{Status: protocol.StatusForbidden, Code: s.Error.Code, Message: s.Error.Message}
	}
	r.member, r.asked, r.greeted, r.join = false, false, false, nil
	if e != nil && e.Code == codeUnavailable && !r.leaving && (r.wanted || r.given) {
		r.joinLater()
		return r.tell(&Lagged{Room: r.name})
	}
	return r.refuse(e)
}

// refuse: the client is out of the room and does not come back by itself.
func (r *room) refuse(e *Error) Event {
	why := e
	if why == nil {
		why = notInRoom(r.name)
	}
	r.depart(why)
	event := r.tell(&Left{Room: r.name, Err: e})
	r.tidy()
	return event
}

// depart forgets that the client is, or wanted to be, in the room.
func (r *room) depart(why error) {
	r.clearTimers()
	r.wanted, r.given, r.member, r.asked, r.greeted, r.lagging, r.join = false, false, false, false, false, false, nil
	r.text = ""
	r.settleJoiners(nil, why)
	r.failPublishes(why)
	r.staleWatches()
	r.c.changed()
}

func notInRoom(name string) *Error {
	return &Error{Status: protocol.StatusForbidden, Code: protocol.RefusalNotInRoom, Message: "this client is not in the room " + name}
}

// unlink: the connection is gone.
func (r *room) unlink() {
	r.clearTimers()
	r.member, r.asked, r.greeted, r.leaving, r.stalled, r.join = false, false, false, false, false, nil
	r.staleWatches()
}

// sendJoin asks the server to let the client in, from where it stands.
func (r *room) sendJoin() {
	if r.join != nil || !r.c.open {
		return
	}
	raw, err := protocol.Marshal(struct {
		Room     string `json:"room"`
		Position string `json:"position,omitempty"`
	}{r.name, r.text})
	if err != nil {
		r.refuse(&Error{Status: protocol.StatusUnprocessable, Code: protocol.RefusalBadRoom, Message: err.Error()})
		return
	}
	k := &call{asks: true, outgoing: outgoing{Envelope: protocol.Envelope{Path: protocol.PathJoin, Data: raw}}}
	k.then = func(m *incoming, err error) {
		if r.join == k { // and not one that a leave has overtaken
			r.join = nil
			r.joinAnswered(m, err)
		}
	}
	r.join, r.asked, r.greeted = k, true, false
	r.c.put(k)
}

func (r *room) joinAnswered(m *incoming, err error) {
	if err == nil {
		var s standing
		if err = json.Unmarshal(m.Data, &s); err == nil {
			r.in(&s)
			return
		}
		err = &Error{Status: protocol.StatusInternalServerError, Code: protocol.RefusalInternal, Message: "the answer to finch.join makes no sense"}
	}
	e, ok := err.(*Error)
	switch {
	case !ok: // the connection is lost: finch.hello names the room
	case e.Code == codeUnavailable:
		r.asked = false
		r.joinLater()
	case r.text == "": // never was in: whoever joins is told
		r.depart(e)
		r.tidy()
	default:
		if event := r.refuse(e); event != nil && r.c.options.OnEvent != nil {
			r.c.inbox.put(item{link: r.c.link, event: event})
		}
	}
}

// joinLater joins again after a random delay.
func (r *room) joinLater() {
	if r.again != nil {
		return
	}
	delay := r.refused.jitter(ending{}, random())
	var t *time.Timer
	t = time.AfterFunc(delay, func() {
		r.c.mu.Lock()
		defer r.c.mu.Unlock()
		if r.again != t {
			return
		}
		r.again = nil
		r.sendJoin()
	})
	r.again = t
}

// A joiner is a call of Join that waits.
type joiner struct {
	done   chan struct{} // closed when the others are set
	joined *Joined
	err    error
}

func (r *room) settleJoiners(joined *Joined, err error) {
	joiners := r.joiners
	r.joiners = nil
	for _, j := range joiners {
		j.joined, j.err = joined, err
		close(j.done)
	}
}
