package finch

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// joinTimeout is how long a client waits for the way into a room that the
// broker does not open; it is told to try again then.
const joinTimeout = 10 * time.Second

// Join makes the socket a member of a room: what is sent and published to the
// room reaches it from now on. Joining twice is joining once. A client that
// has said hello is told by finch.joined, and comes back into the room when it
// resumes its session.
//
// It does not ask [RoomOptions].CanJoin. It blocks while the broker opens the
// room for this node, which the broker in memory does at once; ctx bounds that.
// ErrClosed is returned if the socket is gone, an [Error] 422 if the room
// cannot have this name, and ErrUnavailable if the broker cannot open it.
func (s *Socket) Join(ctx context.Context, room string) error {
	if err := checkRoomName(room); err != nil {
		return err
	}
	at := hub.Address{Kind: hub.Room, Name: room}
	if s.manager.hub.In(s.member, at) {
		s.grant(room)
		return nil
	}
	s.grant(room)
	var err error
	if m := s.manager; !m.node.follows(at) && !m.published(at) {
		if m.hub.Enter(s.member, at, hub.Close) != nil {
			err = ErrClosed
		} else if s.saidHello() {
			s.told(s.noteFrame(protocol.PathJoined, outcome{Room: room, Ticket: s.ticketNow()}))
		}
	} else {
		err = s.attend(ctx, &attendance{socket: s, at: at, ticket: true})
	}
	if err != nil {
		s.revoke(room)
	}
	return err
}

// Leave ends the membership; leaving a room that the socket is not in is no
// error. The client is told by finch.left, if it has said hello or has joined the
// room itself.
func (s *Socket) Leave(ctx context.Context, room string) error {
	itself := !slices.Contains(s.grants(), room)
	if s.leave(room) && (itself || s.saidHello()) {
		s.told(s.noteFrame(protocol.PathLeft, outcome{Room: room, Ticket: s.ticketNow()}))
	}
	return nil
}

// errTakenOut answers a client that was just about to enter.
var errTakenOut = Errorf(protocol.StatusForbidden, protocol.RefusalForbidden, "the server has taken you out of the room")

// leave takes the socket out of a room; false if it was not in it.
func (s *Socket) leave(room string) bool {
	at := hub.Address{Kind: hub.Room, Name: room}
	s.mu.Lock()
	if d := s.doings(); d != nil {
		d.caughtUp(at) // it is owed nothing any more
	}
	s.mu.Unlock()
	waited := s.abandon(at, nil, errTakenOut)
	s.revoke(room)
	was := s.manager.hub.Exit(s.member, at)
	s.manager.left(s, room)
	s.manager.shares.note(at)
	return was || waited
}

// attend starts a way into an address and waits for how it ends.
func (s *Socket) attend(ctx context.Context, a *attendance) error {
	a.done = make(chan error, 1)
	if err := s.set(a); err != nil {
		return err
	}
	select {
	case err := <-a.done: // usually at once; and the context of a socket weighs something once it is waited for
		return err
	default:
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
	}
	// Where others wait for it too, it goes on without this one.
	if a.before != nil || s.isReplaced(a) || s.abandon(a.at, a, nil) {
		return fmt.Errorf("%w: %w", broker.ErrUnavailable, ctx.Err())
	}
	return <-a.done // just now
}

// set starts a way into an address. It does not wait.
func (s *Socket) set(a *attendance) error {
	n := s.manager.node
	if !n.begin() {
		return broker.ErrClosed
	}
	if d := s.manager.declarations.of(a.at); a.way != bySelf && a.at.Kind == hub.Room && d != nil && d.Presence {
		data, err := s.shownAs(s.Context(), d, a.at.Name)
		if err != nil {
			return err
		}
		a.shown, a.data = true, data
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		return ErrClosed
	}
	d := s.begin()
	if d.attending == nil {
		d.attending = make(map[hub.Address]*attendance, 1)
	}
	before := d.attending[a.at]
	if before != nil {
		a.takePlaceOf(before)
	}
	d.attending[a.at] = a
	if l, behind := d.lagging[a.at]; behind && a.from.IsZero() {
		// From nowhere would be a first entry, and what it missed forgotten.
		a.from, a.behind = l.from, true
		d.lagging[a.at] = lag{from: l.from, back: true}
	}
	s.mu.Unlock()
	if before != nil {
		n.runner.Leave(storeName(a.at), before)
	}
	if err := n.runner.Join(storeName(a.at), a, a.from); err != nil {
		s.abandon(a.at, a, err)
		return err
	}
	return nil
}

// settleIn lets a new socket in where it is by itself: at everyone and at its
// user, as far as these come through the broker.
func (s *Socket) settleIn() {
	list := []hub.Address{{Kind: hub.Everyone}}
	if user := s.User(); user != "" {
		list = append(list, hub.Address{Kind: hub.User, Name: user})
	}
	for _, at := range list {
		if !s.manager.node.follows(at) {
			continue
		}
		if err := s.set(&attendance{socket: s, at: at, way: bySelf}); err != nil {
			s.manager.logger.Error("finch: a socket cannot be reached through the broker", "socket", s.ID(), "error", err)
			s.sink().Overflow() // it tries again
		}
	}
}

// isAsking tells whether the socket waits to hear whether it can go on in an
// address from where it stands.
func (s *Socket) isAsking(at hub.Address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	if d == nil {
		return false
	}
	a := d.attending[at]
	return a != nil && !a.from.IsZero()
}

// arrived ends the waiting of a way; false if it was given up meanwhile.
func (s *Socket) arrived(a *attendance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	if d == nil || d.attending[a.at] != a {
		return false
	}
	if a.behind || !a.from.IsZero() {
		d.caughtUp(a.at)
	}
	s.forgetWay(a.at)
	return true
}

// isReplaced tells whether another way that is not answered yet took a's place.
func (s *Socket) isReplaced(a *attendance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	if d == nil {
		return false
	}
	by := d.attending[a.at]
	for by != nil && by.before != a {
		by = by.before
	}
	return by != nil
}

// giveUp ends the ways of a socket that has ended.
func (s *Socket) giveUp(ways map[hub.Address]*attendance) {
	for at, a := range ways {
		a.finish(ErrClosed)
		s.manager.node.runner.Leave(storeName(at), a)
	}
}

// forgetWay forgets a way into an address. Called with mu held.
func (s *Socket) forgetWay(at hub.Address) {
	d := s.doings()
	if delete(d.attending, at); len(d.attending) == 0 {
		d.attending = nil
	}
	if d.blank() {
		s.more.doings = nil
	}
	if s.more.blank() {
		s.more = nil
	}
}

// abandon gives up a way into an address that has not been answered: this one, or
// (nil) whichever it is. Whoever waits for it gets why. False if there is none.
func (s *Socket) abandon(at hub.Address, which *attendance, why error) bool {
	s.mu.Lock()
	d := s.doings()
	if d == nil || d.attending[at] == nil || which != nil && d.attending[at] != which {
		s.mu.Unlock()
		return false
	}
	a := d.attending[at]
	l, behind := d.lagging[at]
	if behind {
		d.lagging[at] = lag{from: l.from}
	}
	s.forgetWay(at)
	s.mu.Unlock()
	a.finish(why)
	s.manager.node.runner.Leave(storeName(at), a) // else it waits as long as the broker is away
	if behind {
		go s.catchUp() // the way that was given up was that of one that fell behind
	}
	return true
}

// grant notes that the server joined the socket to a room; revoke, that it has
// not or not any more.
func (s *Socket) grant(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.extras(); !slices.Contains(x.granted, room) {
		x.granted = append(x.granted, room)
	}
}

func (s *Socket) revoke(room string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more != nil {
		if i := slices.Index(s.more.granted, room); i >= 0 {
			s.more.granted = slices.Delete(s.more.granted, i, i+1)
		}
	}
}

// joinRequest is what a client says to enter a room.
type joinRequest struct {
	Room     string          `json:"room"`
	Position broker.Position `json:"position"`
}

// joinByClient handles finch.join.
func (s *Socket) joinByClient(ctx context.Context, msg *Message) error {
	var in joinRequest
	if err := decodePositions(msg, &in); err != nil {
		return err
	}
	at := hub.Address{Kind: hub.Room, Name: in.Room}
	m := s.manager
	if m.hub.In(s.member, at) {
		if _, lags := s.lagsAt(at); in.Position.IsZero() && !lags {
			return s.whereItStands(at, msg)
		}
	} else if err := s.mayJoin(ctx, in.Room); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	return s.attend(ctx, &attendance{socket: s, at: at, from: in.Position, way: byClient, asked: msg})
}

func (s *Socket) tooManyRooms() error {
	return Errorf(protocol.StatusConflict, protocol.RefusalTooManyRooms, "a socket may be in %d rooms", s.manager.limits.roomsPerSocket())
}

// mayJoin asks whether the client may enter a room that it is not in.
func (s *Socket) mayJoin(ctx context.Context, room string) error {
	m := s.manager
	d, err := m.declaredRoom(room)
	switch {
	case err != nil:
		return err
	case d.CanJoin == nil:
		return Errorf(protocol.StatusForbidden, protocol.RefusalForbidden, "clients may not join this room by themselves")
	case s.hasAllRooms():
		return s.tooManyRooms()
	case d.MaxMembers > 0 && m.hub.Count(hub.Address{Kind: hub.Room, Name: room}) >= d.MaxMembers:
		return Errorf(protocol.StatusConflict, protocol.RefusalRoomFull, "the room is full")
	}
	return d.CanJoin(ctx, s, room)
}

// hasAllRooms reports whether the client may enter no room any more. All that it
// has are counted first, which is quick: a hello may name as many rooms as that.
func (s *Socket) hasAllRooms() bool {
	most := s.manager.limits.roomsPerSocket()
	have := s.manager.hub.Breadth(s.member)
	s.mu.Lock()
	if d := s.doings(); d != nil {
		have += len(d.attending)
	}
	s.mu.Unlock()
	return have >= most && s.roomsByItself() >= most
}

// roomsByItself counts the rooms that the client has joined or is about to enter;
// those that the server joined it to do not count, or it could not come back into
// its own.
func (s *Socket) roomsByItself() int {
	in := make(map[string]struct{})
	for _, room := range s.manager.hub.Rooms(s.member) {
		in[room] = struct{}{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.doings(); d != nil {
		for at, a := range d.attending {
			if at.Kind == hub.Room && a.way != bySelf {
				in[at.Name] = struct{}{}
			}
		}
	}
	if s.more == nil {
		return len(in)
	}
	for _, room := range s.more.granted {
		delete(in, room)
	}
	return len(in)
}

// whereItStands answers a client that joins a room which it is in already.
func (s *Socket) whereItStands(at hub.Address, msg *Message) error {
	m := s.manager
	if err := m.node.ready(s.Context()); err != nil {
		return err
	}
	said := m.node.runner.With(storeName(at), func(top broker.Position) {
		s.told(msg.answerFrame(outcome{Room: at.Name, Position: top.String()}))
	})
	if !said { // it is just being opened
		ctx, cancel := context.WithTimeout(s.Context(), joinTimeout)
		defer cancel()
		return s.attend(ctx, &attendance{socket: s, at: at, way: byClient, asked: msg})
	}
	return nil
}

// leaveByClient handles finch.leave.
func (s *Socket) leaveByClient(msg *Message) error {
	var in struct {
		Room string `json:"room"`
	}
	if err := msg.Decode(&in); err != nil {
		return err
	}
	if err := checkRoomName(in.Room); err != nil {
		return err
	}
	s.leave(in.Room)
	return msg.Reply(nil)
}

// memberOf answers what is declared of a room that the client is in.
func (s *Socket) memberOf(room string) (*declared, error) {
	d, err := s.manager.declaredRoom(room)
	if err != nil {
		return nil, err
	}
	if !s.manager.hub.In(s.member, hub.Address{Kind: hub.Room, Name: room}) {
		return nil, Errorf(protocol.StatusForbidden, protocol.RefusalNotInRoom, "join the room first")
	}
	return d, nil
}

// left notes that a socket is not in a room any more.
func (m *SocketManager) left(s *Socket, room string) {
	m.hub.Exit(s.member, hub.Address{Kind: hub.Watch, Name: room})
	m.presence.unfollow(room)
	m.presence.exit(room, s)
}

// emptyRoom takes all members of this node out of a room.
func (m *SocketManager) emptyRoom(at hub.Address) {
	for _, member := range m.hub.Members(at) {
		s := socketOf(member)
		s.Leave(context.Background(), at.Name)
	}
	for _, ses := range m.sessions.all() {
		ses.revoke(at.Name)
	}
}
