package finch

import (
	"encoding/json"
	"errors"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/feed"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// attendance is one way of one socket into an address, until it is answered.
type attendance struct {
	socket *Socket
	at     hub.Address
	from   broker.Position // where the client stands; zero: nowhere
	way    way
	resume bool // the session was in before: what it missed is owed
	behind bool // the socket is in, and fell behind at from: what it missed is owed
	shown  bool // in the room's presence, with
	data   json.RawMessage
	ticket bool        // the client gets a new ticket with it
	asked  *Message    // finch.join, whose answer says how it went
	before *attendance // whose place it took, and who waits for it
	done   chan error  // gets how it ended; nil if nobody waits
}

// takePlaceOf makes a that of a way which is not answered yet. One from nowhere
// goes on from where that one stood, or what is owed there would be lost.
func (a *attendance) takePlaceOf(before *attendance) {
	a.before = before
	if !a.from.IsZero() {
		return
	}
	a.from, a.resume, a.behind = before.from, before.resume, before.behind
	if a.way != byClient && (before.way == byClient || before.way == byHello) {
		a.way, a.asked = before.way, before.asked // who asked is to be told
	}
}

// A way says who wants to be told what.
type way uint8

const (
	// byServer: the app joined the socket; a client that said hello is told.
	byServer way = iota
	// byClient: the answer to finch.join says how it went.
	byClient
	// byHello: the client is told for each address of its hello.
	byHello
	// bySelf: a socket is at its user's address and at everyone's by itself, and
	// comes back to an address after it fell behind; only a reset is told.
	bySelf
)

// outcome is what a client is told of its way into an address.
type outcome struct {
	Room      string          `json:"room,omitempty"`
	To        string          `json:"to,omitempty"`
	Position  string          `json:"position,omitempty"`
	Recovered *bool           `json:"recovered,omitempty"`
	Missed    int             `json:"missed,omitempty"`
	Reason    feed.Reason     `json:"reason,omitempty"`
	Error     *protocol.Error `json:"error,omitempty"`
	Ticket    string          `json:"ticket,omitempty"`
}

// Reasons of a reset beside those of package feed.
const (
	// noPosition: the session was in the room, and the client did not say how
	// far it had got.
	noPosition feed.Reason = "no_position"
)

// roomFeed is an address as its feed sees it. Its methods run under the lock of
// that feed.
type roomFeed struct {
	manager *SocketManager
	at      hub.Address
	last    broker.Position // of what was emitted
}

var _ feed.Room[*attendance] = (*roomFeed)(nil)

// Emit sends a recorded message to all members.
func (f *roomFeed) Emit(msg broker.Message) {
	m := f.manager
	step := &hub.Step{Before: f.last, At: msg.Position}
	f.last = msg.Position
	r, err := parseRecord(msg.Data)
	if err != nil {
		m.logger.Error("finch: a recorded message cannot be read", "address", msg.Room, "position", msg.Position, "error", err)
		moved := m.gate.compression.message(f.note(protocol.PathPosition, outcome{Position: msg.Position.String()}))
		moved.Step = step
		m.hub.Send(f.at, moved, nil)
		return
	}
	out := m.gate.compression.message(r.frame(f.at, &msg))
	out.Step, out.Key = step, r.replace
	except := m.memberCalled(r.skips(&msg))
	if except != nil && socketOf(except).saidHello() {
		out.Instead = f.note(protocol.PathPosition, outcome{Position: msg.Position.String()})
	}
	m.hub.Send(f.at, out, except)
}

// note makes a frame about the address.
func (f *roomFeed) note(path string, o outcome) []byte {
	o.Room, o.To = wireAddress(f.at)
	b, err := encode(protocol.Envelope{Path: path, Status: protocol.StatusOK}, o)
	if err != nil {
		panic("finch: " + err.Error()) // an outcome is JSON
	}
	return b
}

// Attach lets a socket in that gets replay and then all that is emitted.
func (f *roomFeed) Attach(a *attendance, at broker.Position, replay []broker.Message) {
	f.last = at
	switch {
	case (a.resume || a.behind) && a.from.IsZero() && !at.IsEmpty():
		f.enter(a, outcome{Position: at.String(), Recovered: new(bool), Reason: noPosition}, nil)
	case a.from.IsZero():
		f.enter(a, outcome{Position: at.String()}, nil)
	case a.behind: // it asked for nothing
		f.enter(a, outcome{Position: a.from.String()}, replay)
	default:
		yes := true
		f.enter(a, outcome{Position: a.from.String(), Recovered: &yes, Missed: len(replay)}, replay)
	}
}

// Restart lets a socket in that cannot be caught up.
func (f *roomFeed) Restart(a *attendance, at broker.Position, why feed.Reason) {
	f.last = at
	f.enter(a, outcome{Position: at.String(), Recovered: new(bool), Reason: why}, nil)
}

// RestartAll tells all members that what they have is stale, but those who wait
// to hear whether they can go on from where they stand: they may have been told
// more elsewhere, and are answered after this.
func (f *roomFeed) RestartAll(at broker.Position, why feed.Reason) {
	m := f.manager
	policy := m.declarations.of(f.at).policy()
	for _, member := range m.hub.Members(f.at) {
		if socketOf(member).isAsking(f.at) {
			m.hub.Exit(member, f.at)
			defer m.hub.Enter(member, f.at, policy)
		}
	}
	reset := m.gate.compression.message(f.note(protocol.PathReset, outcome{Position: at.String(), Reason: why}))
	reset.Step = &hub.Step{Before: f.last, At: at}
	f.last = at
	m.hub.Send(f.at, reset, nil)
}

// Refuse answers for an address that cannot be opened.
func (f *roomFeed) Refuse(a *attendance, err error) {
	if a.socket.arrived(a) {
		a.refuse(unavailable(err))
	}
}

// enter makes the socket a member, tells it where it stands, and gives it what
// it missed. All of it is one piece in the member's order: nothing that is
// emitted later can come between.
func (f *roomFeed) enter(a *attendance, o outcome, replay []broker.Message) {
	s, m := a.socket, f.manager
	if !s.arrived(a) {
		a.finish(ErrClosed) // it left meanwhile
		return
	}
	// Whoever comes back to a point of the past gets from there on what the address
	// still owes it, too.
	if !a.from.IsZero() || a.behind {
		m.hub.Forget(s.member, f.at)
	}
	if err := m.hub.Enter(s.member, f.at, m.declarations.of(f.at).policy()); err != nil {
		a.finish(ErrClosed)
		return
	}
	m.shares.note(f.at)
	if a.shown { // before it is told: whoever knows that it is in finds itself there
		m.presence.enter(f.at.Name, s, a.data)
	}
	if from, lags := s.lagsAt(f.at); lags { // since it asked
		o.Position = from.String()
	}
	frames := make([][]byte, 1, len(replay)+1) // the first is for what it is told
	for i := range replay {
		b, message := f.replayed(s, &replay[i])
		if b != nil {
			frames = append(frames, s.rendered(b))
		}
		if !message && o.Missed > 0 {
			o.Missed--
		}
	}
	if told := a.announce(f.at, o); told != nil {
		frames[0] = s.rendered(told)
	} else {
		frames = frames[1:]
	}
	size := 0
	for _, b := range frames {
		size += len(b)
	}
	switch err := m.hub.Replay(s.member, frames, size+m.gate.config.QueueBytes); {
	case errors.Is(err, hub.ErrSlow):
		s.sink().Overflow() // more waits for it already than it may keep waiting
		a.finish(ErrSlow)
		return
	case err != nil:
		a.finish(ErrClosed)
		return
	}
	a.finish(nil)
}

// replayed is a message of the past in the form in which the socket gets it; one
// that is not for it is none, but a step for those who understand.
func (f *roomFeed) replayed(s *Socket, msg *broker.Message) (b []byte, message bool) {
	r, err := parseRecord(msg.Data)
	switch {
	case err == nil && r.skips(msg) != s.clientID():
		return r.frame(f.at, msg), true
	case s.saidHello():
		return f.note(protocol.PathPosition, outcome{Position: msg.Position.String()}), false
	}
	return nil, false
}

// announce makes what the client is told, in the form in which it asked; nil if
// there is nothing to say, or nobody who would understand.
func (a *attendance) announce(at hub.Address, o outcome) []byte {
	s := a.socket
	o.Room, o.To = wireAddress(at)
	if a.ticket {
		o.Ticket = s.ticketNow()
	}
	way := bySelf
	if a.ticket {
		way = byServer
	}
	for w := a; w != nil; w = w.before {
		if w.way != byClient {
			way = w.way
			break
		}
		if b := w.asked.answerFrame(o); b != nil { // nil: it was told to ask again
			return b
		}
	}
	switch reset := o.Recovered != nil && !*o.Recovered; {
	case reset:
		o.Recovered = nil
		return s.noteFrame(protocol.PathReset, o)
	case way == bySelf || !s.saidHello():
		return nil
	}
	return s.noteFrame(protocol.PathJoined, o)
}

// refuse ends a way that leads nowhere.
func (a *attendance) refuse(e *Error) {
	if a.way == byHello {
		a.socket.refused(a.at, e)
	}
	a.finish(e)
}

// finish lets whoever waits go on. Only the first counts: a way that another one
// has replaced is still answered by its feed, which must never wait for anybody.
func (a *attendance) finish(err error) {
	for ; a != nil; a = a.before {
		select {
		case a.done <- err:
		default: // nobody waits, or it was finished
		}
	}
}

// unavailable is what a client is told when the broker failed.
func unavailable(err error) *Error {
	e, meant := forClient(err)
	if !meant {
		e = &Error{protocol.StatusUnavailable, protocol.RefusalUnavailable, "the room cannot be reached now; try again"}
	}
	return e
}
