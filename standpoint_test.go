package finch_test

import (
	"encoding/json"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/protocol"
)

// news is what the server says of a room.
type roomNews struct {
	Room, To, Position, Ticket, Reason string
	Recovered                          *bool
	Missed                             int
	Error                              *protocol.Error
}

// addressKey is the key of an address in an actor's places: a room's name behind
// a slash, or the word of the field to.
func addressKey(room, to string) string {
	if to != "" {
		return to
	}
	return "/" + room
}

// storeRoom is the store's name of an address.
func (a *actor) storeRoom(at string) string {
	switch {
	case at[0] == '/':
		return "r:" + at[1:]
	case at == protocol.ToUser:
		return "u:" + a.user
	}
	return "e:"
}

// take judges one message from the server.
func (a *actor) take(l *link, text []byte) {
	e, err := protocol.Parse(text, protocol.ParseOptions{})
	w := a.stage
	w.mu.Lock()
	defer w.mu.Unlock()
	if a.link != l {
		return // of a connection that another one has replaced
	}
	if err != nil {
		a.fail("is sent %q: %v", text, err)
		return
	}
	if e.Client != "" {
		a.client = e.Client
	}
	if !e.Reply.IsZero() {
		then := a.answers[e.Reply.String()]
		if then == nil {
			a.fail("is answered what it did not ask, or twice: %s", text)
			return
		}
		delete(a.answers, e.Reply.String())
		then(&e)
		return
	}
	if e.Position != "" {
		a.recorded(addressKey(e.Room, e.To), &e)
		return
	}
	if e.Path == "wave" {
		a.waved(&e)
		return
	}
	var n roomNews
	if json.Unmarshal(e.Data, &n) != nil {
		a.fail("is sent %s", text)
		return
	}
	if n.Ticket != "" {
		a.ticket = n.Ticket
	}
	at := addressKey(n.Room, n.To)
	s := a.places[at]
	if !a.hello && e.Path != protocol.PathReset && e.Path != protocol.PathLagged && e.Path != protocol.PathLeft && e.Path != protocol.PathError {
		a.fail("never said hello and is sent %s", text)
	}
	switch e.Path {
	case protocol.PathJoined:
		if s == nil {
			s = &standpoint{}
			a.places[at] = s
		}
		a.entered(at, s, e.Data, s.awaited)
	case protocol.PathReset:
		if s == nil {
			s = &standpoint{}
			a.places[at] = s
		}
		a.restarted(at, s, &n)
	case protocol.PathPosition:
		a.moved(at, s, &n)
	case protocol.PathLagged:
		a.note("lags in %s", at)
		a.slow = true
	case protocol.PathLeft:
		a.note("is taken out of %s: %v", at, n.Error)
		switch {
		case s != nil && n.Error == nil && (s.asking || s.awaited):
			s.ousted = true // before it was asked for, or after: then it was the answer
		default:
			delete(a.places, at)
		}
	default:
		a.fail("is sent %s", text)
	}
}

// recorded judges a recorded message: it must be the one that follows.
func (a *actor) recorded(at string, e *protocol.Envelope) {
	p := a.position(e.Position)
	s := a.places[at]
	if s != nil && s.awaited {
		return // it comes again
	}
	m := a.stage.witness.of(p)
	switch {
	case m == nil:
		a.fail("gets %v, which nobody published", p)
		return
	case m.room != a.storeRoom(at):
		a.fail("gets %v of %s in %s", p, m.room, at)
	case m.Skip == a.session() && (a.greeted || !a.hello): // before its hello nobody knows who it is
		a.fail("gets %s in %s, which leaves it out", m.ID, at)
	case s == nil && at[0] == '/':
		a.fail("gets %s in %s and is not there", m.ID, at)
	}
	if s == nil {
		s = &standpoint{blank: true}
		a.places[at] = s
	}
	a.note("gets %s in %s: %v", m.ID, at, p)
	switch before := m.before; {
	case s.at.IsZero() && !s.blank && at[0] == '/':
		a.fail("gets %s in %s and was not told where it stands", m.ID, at)
	case s.at.IsZero():
	case !a.hello || at[0] != '/':
		before = a.stage.witness.skips(before, s.at, a.session())
		fallthrough
	default:
		if emptied(before) != emptied(s.at) {
			a.fail("stands at %v in %s and gets %s at %v, which comes after %v", s.at, at, m.ID, p, before)
		}
	}
	s.at, s.blank = p, false
	a.got++
}

// moved judges a step past a message that is not for this client.
func (a *actor) moved(at string, s *standpoint, n *roomNews) {
	p := a.position(n.Position)
	if s == nil && at[0] != '/' { // it came there by itself
		s = &standpoint{}
		a.places[at] = s
	}
	switch m := a.stage.witness.of(p); {
	case s == nil:
		a.fail("is moved in %s and is not there", at)
		return
	case s.awaited:
		return
	case m == nil || m.Skip != a.session():
		a.fail("is moved in %s past %v, which is for it", at, m)
	case !s.at.IsZero() && emptied(m.before) != emptied(s.at):
		a.fail("stands at %v in %s and is moved to %v, which comes after %v", s.at, at, p, m.before)
	}
	s.at = p
	a.note("is moved in %s to %v", at, p)
}

// entered takes the answer to a join, or to a hello about one room.
func (a *actor) entered(at string, s *standpoint, data json.RawMessage, asked bool) {
	var n roomNews
	if err := json.Unmarshal(data, &n); err != nil {
		a.fail("is answered %s: %v", data, err)
		return
	}
	a.note("is in %s: %s", at, data)
	if n.Ticket != "" {
		a.ticket = n.Ticket
	}
	if n.Recovered != nil && !*n.Recovered {
		if asked { // all may have been restarted since, but this is the answer
			s.at = s.from
		}
		a.restarted(at, s, &n)
		return
	}
	p := a.position(n.Position)
	was := s.awaited
	s.awaited, s.joining = false, false
	switch {
	case n.Recovered != nil && !was && s.at.IsZero():
		a.fail("is told that it is recovered in %s and had no position", at)
	case n.Recovered != nil && p != s.at:
		a.fail("asked for %s from %v and is recovered from %v", at, s.at, p)
	case n.Recovered == nil && asked:
		a.fail("asked for %s from %v and is not told whether it is recovered", at, s.at)
	case n.Recovered == nil && !s.at.IsZero() && emptied(s.at) != emptied(p):
		a.fail("stands at %v in %s and is told %v", s.at, at, p)
	}
	s.at, s.blank = p, p.IsZero()
}

// restarted takes a reset; there must be a reason.
func (a *actor) restarted(at string, s *standpoint, n *roomNews) {
	p := a.position(n.Position)
	a.note("is restarted in %s at %v: %s", at, p, n.Reason)
	a.resets[n.Reason]++
	w := a.stage
	switch {
	case p.IsZero():
		a.fail("is restarted in %s at no position", at)
	case s.at.IsZero(), n.Reason == "unavailable" && w.faulty:
	case n.Reason == "ahead" && w.staleHeads: // the feed believes the second answer
	case !a.hello && (n.Reason == "forked" || n.Reason == "tail_lost"): // it was further than it knew
	case s.at == p: // its node was behind, and let all begin where this one stands already
	case n.Reason == "no_position":
		if !a.slow {
			a.fail("stands at %v in %s and is restarted: %s", s.at, at, n.Reason)
		}
	default:
		if k, bytes, ok := w.witness.canFollow(a.storeRoom(at), s.at); ok && k <= 500 && bytes <= w.replayBytes {
			a.fail("is restarted in %s (%s) at %v, and could have gone on from %v: %d messages, %d bytes", at, n.Reason, p, s.at, k, bytes)
		}
	}
	s.at, s.blank, s.awaited, s.joining = p, false, false, false
}

// waved judges an ephemeral message: each sender's come in order, once at most.
func (a *actor) waved(e *protocol.Envelope) {
	var said saying
	if err := json.Unmarshal(e.Data, &said); err != nil {
		a.fail("is sent %s: %v", e.Data, err)
		return
	}
	switch before := a.heard[said.From]; {
	case said.N <= before:
		a.fail("hears %s after %d", said, before)
	case said.Skip == a.session() && (a.greeted || !a.hello):
		a.fail("hears %s, which leaves it out", said)
	case e.Room != "" && !a.ever[e.Room]:
		a.fail("hears %s of %s, where it never was", said, e.Room)
	}
	a.heard[said.From] = said.N
}

func (a *actor) position(text string) broker.Position {
	p, err := broker.ParsePosition(text)
	if err != nil {
		a.fail("is sent the position %q: %v", text, err)
	}
	return p
}
