package wire

import (
	"context"
	"fmt"
)

// A Dialect is a protocol that clients speak.
type Dialect string

// The dialects.
const (
	Finch      Dialect = "finch"
	Centrifuge Dialect = "centrifuge"
)

// RoomName is the name of a room by its number.
func RoomName(n int) string { return fmt.Sprintf("bench:%06d", n) }

// A Client is in rooms, across connections. One goroutine at a time uses it, but
// for Close.
type Client struct {
	Dialect Dialect
	Rooms   []int
	// Hear is told of every message, in order; nil is fine.
	Hear func(Note)

	// What became of the client's rooms: messages that never came or came again,
	// and rooms that could not be caught up.
	Lost, Repeated, Resets int

	socket  *socket
	ticket  string
	places  map[int]*place
	waiting int // rooms that are not confirmed on this connection
	owed    int // messages that were missed and are still to come
}

// A place is where a client stands in a room.
type place struct {
	position string // Finch: the whole; Centrifuge: the epoch
	offset   uint64 // Centrifuge
	number   int    // of the last message
	waiting  bool
	owed     int
}

// Connect connects to a node and asks for the rooms, from where the client stood
// in them if it was there before.
func (c *Client) Connect(ctx context.Context, addr string) error {
	s, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	c.socket = s
	if c.places == nil {
		c.places = make(map[int]*place, len(c.Rooms))
		for _, room := range c.Rooms {
			c.places[room] = new(place)
		}
	}
	for _, p := range c.places {
		p.waiting, p.owed = true, 0
	}
	c.waiting, c.owed = len(c.Rooms), 0
	if c.Dialect == Centrifuge {
		err = c.subscribe()
	} else {
		err = c.hello()
	}
	if err != nil {
		s.conn.Close()
	}
	return err
}

// Close breaks the connection without a word. Any goroutine may call it, once
// Connect has returned.
func (c *Client) Close() { c.socket.conn.Close() }

// CaughtUp tells whether the client is in all its rooms and has all that it
// missed.
func (c *Client) CaughtUp() bool { return c.waiting == 0 && c.owed == 0 }

// Read takes one WebSocket message.
func (c *Client) Read() error {
	payload, err := c.socket.read()
	if err != nil {
		return err
	}
	if c.Dialect == Centrifuge {
		return c.takeReplies(payload)
	}
	return c.takeEnvelope(payload)
}

// Join connects and reads until the client is in all its rooms.
func (c *Client) Join(ctx context.Context, addr string) error {
	if err := c.Connect(ctx, addr); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, c.Close)
	defer stop()
	for !c.CaughtUp() {
		if err := c.Read(); err != nil {
			return err
		}
	}
	return nil
}

// hear takes one message of a room; where it stands is known to the caller.
func (c *Client) hear(n Note) *place {
	p := c.places[n.Room]
	if p == nil {
		return new(place) // of nobody's room: the caller's change is forgotten
	}
	switch {
	case n.Number <= p.number:
		c.Repeated++
	case p.number > 0:
		c.Lost += n.Number - p.number - 1
	}
	p.number = max(p.number, n.Number)
	if p.owed > 0 {
		p.owed--
		c.owed--
	}
	if c.Hear != nil {
		c.Hear(n)
	}
	return p
}

// confirm says that the client is in a room.
func (c *Client) confirm(p *place) {
	if p.waiting {
		p.waiting = false
		c.waiting--
	}
}

// Last is the sum of the numbers of the last messages that the client got in its
// rooms.
func (c *Client) Last() (sum int) {
	for _, p := range c.places {
		sum += p.number
	}
	return sum
}
