package feed_test

import (
	"fmt"
	"slices"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/feed"
)

func (s *seat) Emit(m broker.Message) {
	for _, c := range s.members {
		c.receive(m)
	}
}

func (s *seat) Attach(c *client, at broker.Position, replay []broker.Message) {
	w := s.node.w
	w.note("%s attaches %s at %v with %d", s.node.name, c.name, at, len(replay))
	if !c.last.IsZero() && c.seat != s {
		w.fail("%s was attached to a seat that it is not at", c.name)
	}
	if c.last.IsZero() {
		c.last = at
	}
	for _, m := range replay {
		c.receive(m)
	}
	if plain(c.last) != plain(at) {
		w.fail("%s is attached at %v and stands at %v", c.name, at, c.last)
	}
	c.last, c.waits = at, false
	s.members = append(s.members, c)
}

func (s *seat) Restart(c *client, at broker.Position, why feed.Reason) {
	w := s.node.w
	w.note("%s restarts %s at %v: %s", s.node.name, c.name, at, why)
	n, ok := w.witness.canFollow(s.room, c.last)
	excused := why == feed.Unavailable && (s.node.off || s.node.troubles() > c.troubles) ||
		why == feed.TooFar && w.lost // it was too far before the loss
	if w.strict && ok && n <= w.limits.Replay && !excused {
		w.fail("%s is restarted (%s) at %v, and could have gone on from %v", c.name, why, at, c.last)
	}
	c.restart(at, why)
	c.waits = false
	s.members = append(s.members, c)
}

func (s *seat) RestartAll(at broker.Position, why feed.Reason) {
	w := s.node.w
	w.note("%s restarts all of %s at %v: %s", s.node.name, s.room, at, why)
	for _, c := range s.members {
		if _, ok := w.witness.canFollow(s.room, c.last); w.strict && ok {
			w.fail("%s is restarted with all (%s) at %v, and could have gone on from %v", c.name, why, at, c.last)
		}
		c.restart(at, why)
	}
}

func (s *seat) Refuse(c *client, err error) {
	s.node.w.fail("%s is refused: %v", c.name, err)
}

// A client is a member with a memory.
type client struct {
	w        *world
	name     string
	room     string
	last     broker.Position // zero: has not been here
	seat     *seat           // nil: away
	waits    bool            // for an answer to its join
	troubles int             // of its node when it joined
	got      []string
	restarts []feed.Reason
}

func (w *world) client(room string) *client {
	c := &client{w: w, name: fmt.Sprint("client", len(w.clients)), room: room}
	w.clients = append(w.clients, c)
	return c
}

func (c *client) receive(m broker.Message) {
	before, known := c.w.witness.before[m.Position]
	switch {
	case !known:
		c.w.fail("%s receives %v, which nobody published", c.name, m.Position)
	case plain(before) != plain(c.last):
		c.w.fail("%s stands at %v and receives %v, which comes after %v", c.name, c.last, m.Position, before)
	}
	c.last = m.Position
	c.got = append(c.got, string(m.Data))
}

func (c *client) restart(at broker.Position, why feed.Reason) {
	c.last = at
	c.restarts = append(c.restarts, why)
}

// join brings the client to a node, from where it stands.
func (c *client) join(n *node) {
	s := n.seat(c.room)
	c.w.note("%s joins %s on %s from %v", c.name, c.room, n.name, c.last)
	c.seat, c.waits, c.troubles = s, true, n.troubles()
	s.feed.Join(c.w.clock, c, c.last)
	s.collect()
}

// leave takes it away: its connection is cut.
func (c *client) leave() {
	s := c.seat
	c.w.note("%s leaves", c.name)
	s.members = slices.DeleteFunc(s.members, func(o *client) bool { return o == c })
	s.feed.Leave(c)
	s.collect()
	c.seat, c.waits = nil, false
}
