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
	if m := s.manager; !m.node.follows(at) {
		if m.hub.Enter(s.member, at, hub.Close) != nil {
			err = ErrClosed
		} else if s.saidHello() {
			s.told(s.noteFrame(protocol.PathJoined, outcome{Room: room, Ticket: s.ticketNow()}))
		}
	} else {
		err = s.attend(ctx, &attendance{socket: s, at: at})
	}
	if err != nil {
		s.revoke(room)
	}
	return err
}

// Leave ends the membership; leaving a room that the socket is not in is no
// error. A client that has said hello is told by finch.left.
func (s *Socket) Leave(ctx context.Context, room string) error {
	if s.leave(room) && s.saidHello() {
		s.told(s.noteFrame(protocol.PathLeft, outcome{Room: room, Ticket: s.ticketNow()}))
	}
	return nil
}

// leave takes the socket out of a room; false if it was not in it.
func (s *Socket) leave(room string) bool {
	at := hub.Address{Kind: hub.Room, Name: room}
	waited := s.abandon(at)
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
	case err := <-a.done:
		return err
	case <-ctx.Done():
	}
	if s.abandon(a.at) {
		return fmt.Errorf("%w: %w", broker.ErrUnavailable, ctx.Err())
	}
	return <-a.done // just now
}

// set starts a way into an address. It does not wait.
func (s *Socket) set(a *attendance) error {
	n := s.manager.node
	if err := n.ready(s.Context()); err != nil {
		return err
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
	x := s.extras()
	if x.attending == nil {
		x.attending = make(map[hub.Address]*attendance, 1)
	}
	before := x.attending[a.at]
	x.attending[a.at] = a
	s.mu.Unlock()
	if before != nil {
		before.finish(ErrClosed) // this one takes its place
	}
	if err := n.runner.Join(storeName(a.at), a, a.from); err != nil {
		s.abandon(a.at)
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

// arrived ends the waiting of a way; false if it was given up meanwhile.
func (s *Socket) arrived(a *attendance) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil || s.more.attending[a.at] != a {
		return false
	}
	s.forgetWay(a.at)
	return true
}

// forgetWay forgets a way into an address. Called with mu held.
func (s *Socket) forgetWay(at hub.Address) {
	x := s.more
	if delete(x.attending, at); len(x.attending) == 0 {
		x.attending = nil
	}
	if x.blank() {
		s.more = nil
	}
}

// abandon gives up a way that has not been answered; false if there is none.
func (s *Socket) abandon(at hub.Address) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil || s.more.attending[at] == nil {
		return false
	}
	s.forgetWay(at)
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
	if m.hub.In(s.member, at) && m.node.follows(at) {
		if in.Position.IsZero() {
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
	case len(m.hub.Rooms(s.member)) >= m.limits.roomsPerSocket():
		return s.tooManyRooms()
	case d.MaxMembers > 0 && m.hub.Count(hub.Address{Kind: hub.Room, Name: room}) >= d.MaxMembers:
		return Errorf(protocol.StatusConflict, protocol.RefusalRoomFull, "the room is full")
	}
	return d.CanJoin(ctx, s, room)
}

// whereItStands answers a client that joins a room which it is in already.
func (s *Socket) whereItStands(at hub.Address, msg *Message) error {
	m := s.manager
	if err := m.node.ready(s.Context()); err != nil {
		return err
	}
	said := m.node.runner.With(storeName(at), func(top broker.Position) {
		if from, lags := s.lagsAt(at); lags {
			top = from
		}
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
}
