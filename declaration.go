package finch

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// RoomOptions say what clients may do in the rooms of a pattern and what the
// rooms keep. The zero value lets clients do nothing and keeps nothing.
type RoomOptions struct {
	// HistorySize is how many recorded messages a room keeps; zero keeps none,
	// so that who comes back is caught up only from what its server still has in
	// memory, and told with finch.reset where that is not enough.
	HistorySize int
	// HistoryAge is how long a recorded message is kept. Zero: no limit of time.
	HistoryAge time.Duration
	// Presence lets members see who is in the room; see [Room.Members].
	Presence bool
	// Behind decides about a member that reads too slowly.
	Behind BehindPolicy
	// MaxMembers is how many sockets may be in a room on one node; one more is
	// refused with 409 room_full if it is a client that joins. Zero: no limit.
	MaxMembers int
	// CanJoin decides whether a client may enter a room, each time that it asks
	// and each time that it comes back. An [Error] refuses with its code. Nil:
	// clients may not enter, the server joins them. [Anybody] lets all in.
	CanJoin func(ctx context.Context, s *Socket, room string) error
	// CanPublish decides whether a client that is in a room may publish a
	// message there. Nil: clients may not, the server publishes. [AnyMember]
	// lets all members.
	CanPublish func(ctx context.Context, s *Socket, room string, m *Message) error
	// PresenceData is what others see of a member besides its name, in JSON;
	// asked when it enters. Nil: nothing, until the client sets its own.
	PresenceData func(ctx context.Context, s *Socket, room string) (any, error)
}

// Anybody is a [RoomOptions].CanJoin that lets everybody in.
func Anybody(context.Context, *Socket, string) error { return nil }

// AnyMember is a [RoomOptions].CanPublish that lets every member publish.
func AnyMember(context.Context, *Socket, string, *Message) error { return nil }

// BehindPolicy says what happens to a member for which more waits than
// [Limits].QueueBytes.
type BehindPolicy uint8

const (
	// BehindDefault is Resync where there is history and Close where there is
	// none.
	BehindDefault BehindPolicy = iota
	// Resync tells the member finch.lagged, gives it nothing for now, and catches
	// it up from history once it reads again; with finch.reset if history does
	// not reach that far back. What was sent and not recorded it misses.
	Resync
	// Latest gives the member only the newest of the messages that replace each
	// other ([Replaces]).
	Latest
	// CloseSlow closes the socket with 1013.
	CloseSlow
)

// declared is what is known of the rooms of one pattern.
type declared struct {
	pattern roomPattern
	RoomOptions
	place   string
	history broker.Profile
}

func declare(p roomPattern, o RoomOptions, place string) *declared {
	// The profile's name says what it is, so that rooms of two patterns that keep the
	// same share one.
	name := fmt.Sprintf("n%d-a%d", o.HistorySize, o.HistoryAge.Milliseconds())
	return &declared{p, o, place, broker.Profile{Name: name, Size: o.HistorySize, Age: o.HistoryAge}}
}

// profile is the history of the rooms.
func (d *declared) profile() broker.Profile {
	if d == nil {
		return broker.DefaultProfile
	}
	return d.history
}

func (d *declared) policy() hub.Policy {
	switch {
	case d == nil || d.Behind == CloseSlow || d.Behind == BehindDefault && d.HistorySize == 0:
		return hub.Close
	case d.Behind == Latest:
		return hub.Latest
	}
	return hub.Resync
}

// declarations are all that a manager has been told of rooms. Lookups take no
// lock.
type declarations struct {
	rooms    atomic.Pointer[[]*declared] // the narrower before the wider
	users    atomic.Pointer[declared]    // of every user's address
	everyone atomic.Pointer[declared]
	frozen   atomic.Bool
}

// DeclareRooms says what clients may do in rooms whose names are of a pattern:
// "lobby", "chat:{id}", "org/{org}/{rest...}", with : and / between the parts
// and wildcards as in [http.ServeMux]. Of several patterns that match a name
// the narrowest counts. Rooms that are not declared are the server's alone: a
// client gets 403 room_not_declared.
//
// It panics, naming both places, if the pattern cannot be one, is declared
// already, or matches names of another pattern without either being narrower;
// and when the manager has begun to use its broker, which it does when the first
// client joins a declared room or the first message is published.
func (m *SocketManager) DeclareRooms(pattern string, o RoomOptions) {
	at := place()
	p, err := parseRoomPattern(pattern)
	if err != nil {
		panic(fmt.Sprintf("finch: %s: the pattern of rooms %q: %v", at, pattern, err))
	}
	d := declare(p, o, at)
	m.declarations.check(d)
	var all []*declared
	if old := m.declarations.rooms.Load(); old != nil {
		all = slices.Clone(*old)
	}
	i := len(all)
	for j, other := range all {
		switch p.compare(&other.pattern) {
		case equal:
			panic(fmt.Sprintf("finch: rooms %q are declared twice: first at %s, again at %s", pattern, other.place, at))
		case overlapping:
			panic(fmt.Sprintf("finch: rooms %q (%s) and %q (%s) match some of the same names and neither is narrower; change one",
				other.pattern.text, other.place, pattern, at))
		case narrower:
			i = min(i, j)
		}
	}
	all = slices.Insert(all, i, d)
	m.declarations.rooms.Store(&all)
}

// DeclareUsers says what [SocketManager.User] keeps: with a HistorySize, what is
// published to a user waits for devices that come back. Presence, MaxMembers and
// the Can functions have no meaning there. It panics as DeclareRooms does.
func (m *SocketManager) DeclareUsers(o RoomOptions) {
	m.declarations.declare(&m.declarations.users, declare(roomPattern{text: "\x00users"}, o, place()))
}

// DeclareEveryone is DeclareUsers for [SocketManager.Everyone].
func (m *SocketManager) DeclareEveryone(o RoomOptions) {
	m.declarations.declare(&m.declarations.everyone, declare(roomPattern{text: "\x00everyone"}, o, place()))
}

func (c *declarations) declare(into *atomic.Pointer[declared], d *declared) {
	c.check(d)
	if !into.CompareAndSwap(nil, d) {
		panic(fmt.Sprintf("finch: declared twice: first at %s, again at %s", into.Load().place, d.place))
	}
}

func (c *declarations) check(d *declared) {
	switch {
	case c.frozen.Load():
		panic(fmt.Sprintf("finch: %s: declare rooms before the manager serves its first client", d.place))
	case d.HistorySize < 0 || d.HistoryAge < 0 || d.MaxMembers < 0:
		panic(fmt.Sprintf("finch: %s: a size, an age or a number of members is negative", d.place))
	}
}

// of answers what is declared of an address; nil if nothing.
func (c *declarations) of(at hub.Address) *declared {
	switch at.Kind {
	case hub.User:
		return c.users.Load()
	case hub.Everyone:
		return c.everyone.Load()
	}
	if all := c.rooms.Load(); all != nil {
		for _, d := range *all {
			if _, ok := d.pattern.match(at.Name, ""); ok {
				return d
			}
		}
	}
	return nil
}

// profiles answers what a broker has to know, and ends declaring.
func (c *declarations) profiles() (list []broker.Profile) {
	c.frozen.Store(true)
	all := slices.Clone(deref(c.rooms.Load()))
	for _, d := range []*declared{c.users.Load(), c.everyone.Load()} {
		if d != nil {
			all = append(all, d)
		}
	}
	for _, d := range all {
		if p := d.profile(); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

func deref[T any](p *[]T) []T {
	if p == nil {
		return nil
	}
	return *p
}

// declaredRoom answers what is declared of a room that a client names.
func (m *SocketManager) declaredRoom(room string) (*declared, error) {
	if err := checkRoomName(room); err != nil {
		return nil, err
	}
	d := m.declarations.of(hub.Address{Kind: hub.Room, Name: room})
	if d == nil {
		m.hintUndeclared(room)
		return nil, Errorf(protocol.StatusForbidden, protocol.RefusalRoomNotDeclared, "the server declares no such room for clients")
	}
	return d, nil
}

// hintUndeclared tells the developer how to let clients into a room.
func (m *SocketManager) hintUndeclared(room string) {
	if m.undeclaredHint.take(time.Now()) {
		m.logger.Warn("finch: a client named a room that is not declared", "room", room,
			"to_allow_it", fmt.Sprintf("DeclareRooms(%q, finch.RoomOptions{CanJoin: finch.Anybody})", room))
	}
}

// Value returns what a wildcard of the pattern that declares the room stands
// for: of "chat:{id}" and the room chat:7, Value("id") is "7". Empty if there is
// no such wildcard.
func (r Room) Value(wildcard string) string {
	if d := r.manager.declarations.of(r.at); d != nil && r.at.Kind == hub.Room {
		value, _ := d.pattern.match(r.at.Name, wildcard)
		return value
	}
	return ""
}
