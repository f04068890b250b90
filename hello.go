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
	"github.com/finch-go/finch/protocol"
)

// helloRequest is what a client says first.
type helloRequest struct {
	Version  int                        `json:"version"`
	Ticket   string                     `json:"ticket"`
	Token    string                     `json:"token"`
	Attempt  uint64                     `json:"attempt"`
	Rooms    map[string]broker.Position `json:"rooms"`
	User     broker.Position            `json:"user"`
	Everyone broker.Position            `json:"everyone"`
}

// greeting answers it.
type greeting struct {
	Version   int            `json:"version"`
	Client    string         `json:"client"`
	From      string         `json:"from"` // how others see this client
	Resumed   bool           `json:"resumed"`
	Reason    string         `json:"reason,omitempty"` // why a ticket was not honoured
	Ticket    string         `json:"ticket"`
	Heartbeat int64          `json:"heartbeat"` // milliseconds; 0 = none
	Limits    greetingLimits `json:"limits"`
}

type greetingLimits struct {
	MessageBytes int `json:"message_bytes"`
	JSONDepth    int `json:"json_depth"`
}

// Reasons why a ticket is not honoured.
const (
	reasonBadTicket     = "bad_ticket"
	reasonTicketExpired = "ticket_expired"
	reasonOtherUser     = "other_user"
)

// helloTimeout is how long a hello holds up the client's next messages while
// rooms are opened; what is not open then follows when it is.
const helloTimeout = 5 * time.Second

// maxHelloRooms bounds what one hello may name: rooms of its client, of which it
// may have [Limits].RoomsPerSocket, and of the server, which may join it to more.
const maxHelloRooms = 2048

// hello handles finch.hello: it finds or begins the session, answers, and lets
// the client back into its rooms.
func (s *Socket) hello(ctx context.Context, msg *Message) error {
	var in helloRequest
	if err := decodePositions(msg, &in); err != nil {
		return err
	}
	if len(in.Rooms) > maxHelloRooms {
		return Errorf(protocol.StatusConflict, protocol.RefusalTooManyRooms, "a hello may name %d rooms", maxHelloRooms)
	}
	if in.Token != "" {
		if err := s.renew(in.Token); err != nil {
			return err
		}
	}
	first := !s.saidHello()
	back, reason := s.resumeOrBegin(ctx, in.Ticket, in.Attempt)
	if back.session == nil {
		return ErrClosed
	}
	msg.Reply(s.greeting(back.held || in.Ticket != "" && reason == "", reason))
	s.reenter(ctx, &in, first && in.Ticket != "" && reason == "")
	if back.held {
		back.session.resumed(ctx, s)
	}
	return nil
}

// resumeOrBegin gives the socket its session. The reason says why a ticket was
// not honoured.
func (s *Socket) resumeOrBegin(ctx context.Context, text string, attempt uint64) (r resumption, reason string) {
	m := s.manager
	own := s.session()
	if text != "" {
		t, err := m.sealer.open(text, time.Now())
		switch {
		case errors.Is(err, errTicketExpired):
			reason = reasonTicketExpired
		case err != nil:
			reason = reasonBadTicket
		case t.user != s.User():
			reason = reasonOtherUser
		case own == nil:
			return m.resume(ctx, s, t, attempt), ""
		case own.id != t.session:
			reason = reasonBadTicket // a socket does not change its session
		}
	}
	if own == nil {
		own = m.begin(s)
	}
	return resumption{session: own}, reason
}

func (s *Socket) greeting(resumed bool, reason string) greeting {
	m := s.manager
	depth := m.limits.JSONDepth
	if depth <= 0 {
		depth = protocol.DefaultMaxDepth
	}
	return greeting{
		Version:   protocol.Version,
		Client:    s.ID(),
		From:      s.name(),
		Resumed:   resumed,
		Reason:    reason,
		Ticket:    s.ticketNow(),
		Heartbeat: max(0, m.gate.config.Heartbeat.Milliseconds()),
		Limits:    greetingLimits{m.limits.messageBytes(), depth},
	}
}

// reenter lets the client into the rooms that it names and those that the
// server has joined it to, each from where it stands, and says of each how it
// went. It waits for them a while. A socket that has resumed a session is owed
// what that missed; one that says hello again is where it is.
func (s *Socket) reenter(ctx context.Context, in *helloRequest, resumed bool) {
	ctx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	var ways []*attendance
	begin := func(a *attendance) {
		a.socket = s
		if s.comeBack(a) {
			ways = append(ways, a)
		}
	}
	granted := s.grants()
	for _, room := range granted {
		begin(&attendance{at: hub.Address{Kind: hub.Room, Name: room}, from: in.Rooms[room], resume: resumed})
	}
	free := s.manager.limits.roomsPerSocket()
	for _, room := range slices.Sorted(maps.Keys(in.Rooms)) {
		if slices.Contains(granted, room) {
			continue
		}
		at := hub.Address{Kind: hub.Room, Name: room}
		if free--; free < 0 {
			s.refused(at, s.tooManyRooms())
			continue
		}
		if !s.manager.hub.In(s.member, at) {
			if err := s.mayJoin(ctx, room); err != nil {
				s.refused(at, err)
				continue
			}
		}
		begin(&attendance{at: at, from: in.Rooms[room]})
	}
	// A client that has a position there waits for an answer, declared or not.
	if user := s.User(); user != "" && (s.manager.declarations.users.Load() != nil || !in.User.IsZero()) {
		begin(&attendance{at: hub.Address{Kind: hub.User, Name: user}, from: in.User, resume: resumed})
	}
	if s.manager.declarations.everyone.Load() != nil || !in.Everyone.IsZero() {
		begin(&attendance{at: hub.Address{Kind: hub.Everyone}, from: in.Everyone, resume: resumed})
	}
	for _, a := range ways {
		select {
		case <-a.done:
		case <-ctx.Done():
		}
	}
	s.manager.presence.vacate(s)
}

// comeBack starts a way of a hello; false if it is answered already.
func (s *Socket) comeBack(a *attendance) bool {
	m := s.manager
	a.way, a.done = byHello, make(chan error, 1)
	if a.from.IsZero() && !m.node.follows(a.at) && !m.published(a.at) {
		// A room that nobody ever published to has no positions.
		if m.hub.Enter(s.member, a.at, hub.Close) == nil {
			s.told(s.noteFrame(protocol.PathJoined, outcome{Room: a.at.Name}))
		}
		return false
	}
	if err := s.set(a); err != nil {
		s.refused(a.at, unavailable(err))
		return false
	}
	return true
}

// refused tells the client that it is not in an address.
func (s *Socket) refused(at hub.Address, err error) {
	e, meant := forClient(err)
	if !meant {
		s.report(s.manager.event.OnError, protocol.PathHello, err)
	}
	o := outcome{Error: &protocol.Error{Code: e.Code, Message: e.Message}}
	o.Room, o.To = wireAddress(at)
	s.told(s.noteFrame(protocol.PathLeft, o))
}

// published tells whether a room has recorded messages, or may have.
func (m *SocketManager) published(at hub.Address) bool {
	if !m.node.started.Load() {
		return false // it is the store of this process alone, and not in use
	}
	ctx, cancel := context.WithTimeout(m.alive, helloTimeout)
	defer cancel()
	heads, _, err := m.node.broker.Heads(ctx, []string{storeName(at)}, "")
	return err != nil || len(heads) > 0 && !heads[0].Position.IsEmpty()
}

// decodePositions decodes a request that names positions.
func decodePositions(msg *Message, into any) error {
	err := msg.Decode(into)
	if err != nil {
		if cause := json.Unmarshal(msg.Data, into); errors.Is(cause, broker.ErrBadPosition) {
			return Errorf(protocol.StatusBadRequest, protocol.RefusalBadPosition, "%v", cause)
		}
	}
	return err
}
