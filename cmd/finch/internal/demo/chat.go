package demo

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// chat knows under which name each socket sits in which room. Who gets what
// is sent to a room is Finch's business: the chat only joins and leaves.
type chat struct {
	sockets *finch.SocketManager

	mu    sync.Mutex // guards what follows
	rooms map[string]*chatRoom
	seats int // ever taken, for their order
}

type chatRoom struct {
	seats  map[string]seat // by socket id
	change pulse
}

type seat struct {
	name  string
	order int
}

// Bounds of what one client may ask for.
const (
	maxName        = 40 // characters, like the next two
	maxRoom        = 60
	maxText        = 2000
	maxRooms       = 8   // per socket
	maxMembersSent = 100 // names in a list; the count is always whole
)

// ChatJoin asks for a seat in a room.
type ChatJoin struct{ Room, Name string }

// ChatSay is a line on its way in.
type ChatSay struct{ Room, Text string }

// ChatRoom names a room: to leave it, or to say that its member is typing.
type ChatRoom struct{ Room string }

// ChatJoined answers ChatJoin.
type ChatJoined struct {
	Name string `json:"name"`
	ChatMembers
}

// ChatMembers is who is in a room, the longest there first.
type ChatMembers struct {
	Room    string   `json:"room"`
	Members []string `json:"members"`
	Count   int      `json:"count"`
}

// ChatLine is a line on its way out.
type ChatLine struct {
	Room string `json:"room"`
	Name string `json:"name"`
	Text string `json:"text"`
	From string `json:"from"` // the socket's id
	At   int64  `json:"at"`   // Unix milliseconds
}

// ChatTyping says that somebody is writing.
type ChatTyping struct {
	Room string `json:"room"`
	Name string `json:"name"`
}

func (c *chat) register(m *finch.SocketManager) {
	c.sockets = m
	c.rooms = make(map[string]*chatRoom)
	finch.OnRequest(m, "chat.join", c.join)
	finch.On(m, "chat.leave", c.leave)
	finch.On(m, "chat.say", c.say)
	finch.On(m, "chat.typing", c.typing)
}

// inRoom is the Finch room of a chat room.
func inRoom(room string) string { return "chat:" + room }

func (c *chat) join(ctx context.Context, s *finch.Socket, in ChatJoin) (ChatJoined, error) {
	room, err := line(in.Room, maxRoom, "bad_room", "a room's name")
	if err != nil {
		return ChatJoined{}, err
	}
	name, err := line(in.Name, maxName, "bad_name", "a name")
	if err != nil {
		return ChatJoined{}, err
	}
	mine := roomsOf(s)
	if !slices.Contains(mine, room) {
		if len(mine) == maxRooms {
			return ChatJoined{}, finch.Errorf(409, "too_many_rooms", "you are in %d rooms already; leave one first", maxRooms)
		}
		if err := s.Join(ctx, inRoom(room)); err != nil {
			return ChatJoined{}, err
		}
		s.Set("chat", append(mine, room))
	}
	return ChatJoined{Name: name, ChatMembers: c.sit(s, room, name)}, nil
}

func (c *chat) leave(ctx context.Context, s *finch.Socket, in ChatRoom) error {
	room, err := line(in.Room, maxRoom, "bad_room", "a room's name")
	if err != nil {
		return err
	}
	if i := slices.Index(roomsOf(s), room); i >= 0 {
		s.Set("chat", slices.Delete(roomsOf(s), i, i+1))
		c.stand(s, room)
	}
	return s.Leave(ctx, inRoom(room))
}

func (c *chat) say(ctx context.Context, s *finch.Socket, in ChatSay) error {
	name, err := c.nameIn(s, in.Room)
	if err != nil {
		return err
	}
	words, err := text(in.Text, maxText, "bad_text", "a line")
	if err != nil {
		return err
	}
	return c.sockets.Room(inRoom(in.Room)).Send("chat.line", ChatLine{
		Room: in.Room, Name: name, Text: words, From: s.ID(), At: time.Now().UnixMilli(),
	})
}

func (c *chat) typing(ctx context.Context, s *finch.Socket, in ChatRoom) error {
	name, err := c.nameIn(s, in.Room)
	if err != nil {
		return err
	}
	return c.sockets.Room(inRoom(in.Room)).Send("chat.typing", ChatTyping{in.Room, name}, finch.Except(s))
}

// left is called when a socket is gone; Finch has taken it out of its rooms.
func (c *chat) left(s *finch.Socket) {
	for _, room := range roomsOf(s) {
		c.stand(s, room)
	}
}

// roomsOf returns the chat rooms of a socket. Its callbacks run one at a
// time, and nobody else asks.
func roomsOf(s *finch.Socket) []string {
	rooms, _ := s.Get("chat").([]string)
	return rooms
}

// sit gives a socket its seat, or its seat a new name.
func (c *chat) sit(s *finch.Socket, room, name string) ChatMembers {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[room]
	if r == nil {
		r = &chatRoom{seats: make(map[string]seat)}
		c.rooms[room] = r
	}
	taken, again := r.seats[s.ID()]
	if !again {
		c.seats++
		taken.order = c.seats
	}
	taken.name = name
	r.seats[s.ID()] = taken
	c.changed(room, r)
	return r.members(room)
}

func (c *chat) stand(s *finch.Socket, room string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rooms[room]
	if r == nil {
		return
	}
	delete(r.seats, s.ID())
	if len(r.seats) == 0 {
		delete(c.rooms, room)
		return
	}
	c.changed(room, r)
}

// changed tells the room soon who is in it: once, if many come or go at once.
func (c *chat) changed(room string, r *chatRoom) {
	r.change.soon(func() {
		c.mu.Lock()
		stale := c.rooms[room] != r // everybody left meanwhile
		members := r.members(room)
		c.mu.Unlock()
		if stale {
			return
		}
		c.sockets.Room(inRoom(room)).Send("chat.members", members)
	})
}

func (c *chat) nameIn(s *finch.Socket, room string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rooms[room]; r != nil {
		if taken, ok := r.seats[s.ID()]; ok {
			return taken.name, nil
		}
	}
	return "", finch.Errorf(403, "not_a_member", "join the room before you write to it")
}

// members is the list as it travels.
func (r *chatRoom) members(room string) ChatMembers {
	seats := make([]seat, 0, len(r.seats))
	for _, taken := range r.seats {
		seats = append(seats, taken)
	}
	slices.SortFunc(seats, func(a, b seat) int { return a.order - b.order })
	names := make([]string, min(len(seats), maxMembersSent))
	for i := range names {
		names[i] = seats[i].name
	}
	return ChatMembers{Room: room, Members: names, Count: len(seats)}
}
