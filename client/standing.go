package client

import (
	"encoding/json"

	"github.com/finch-go/finch/protocol"
)

// standing is what the server says of a room or an address: the data of
// finch.joined, finch.reset, finch.left, finch.lagged, finch.position and of the
// answer to finch.join.
type standing struct {
	Room      string          `json:"room"`
	To        string          `json:"to"`
	Position  string          `json:"position"`
	Recovered *bool           `json:"recovered"`
	Missed    int             `json:"missed"`
	Reason    string          `json:"reason"`
	Ticket    string          `json:"ticket"`
	Error     *protocol.Error `json:"error"`
}

// handle takes one message of a link, in order. What it returns waits for the
// dispatcher; ok is false if nothing does.
func (c *Client) handle(l *link, m incoming) (it item, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l || c.closed != nil {
		return item{}, false // of a session that has ended
	}
	if !m.Reply.IsZero() {
		c.answered(&m)
		return item{}, false
	}
	if !protocol.IsFrameworkPath(m.Path) {
		return c.deliver(l, m)
	}
	event := c.framework(l, &m)
	if !m.ID.IsZero() {
		return item{link: l, message: m}, true // answered as a path that nobody handles
	}
	if event == nil || c.options.OnEvent == nil {
		return item{}, false
	}
	return item{link: l, event: event}, true
}

// framework takes what the server says under finch. and returns the event that
// is for OnEvent, if any. It is called with mu held.
func (c *Client) framework(l *link, m *incoming) Event {
	switch m.Path {
	case protocol.PathDrain:
		c.drain(l, m)
		return nil
	case protocol.PathPresence:
		c.presenceChanged(m)
		return nil
	case protocol.PathError:
		if m.Error != nil {
			c.options.Logger.Warn("finch client: the server refused a message", "code", m.Error.Code, "message", m.Error.Message, "data", string(m.Data))
		}
		return nil
	case protocol.PathJoined, protocol.PathReset, protocol.PathLeft, protocol.PathLagged, protocol.PathPosition:
	default:
		return nil // of a later version
	}
	var s standing
	if err := json.Unmarshal(m.Data, &s); err != nil {
		c.options.Logger.Debug("finch client: passed over a message", "path", m.Path, "error", err)
		return nil
	}
	if s.Ticket != "" {
		c.ticket = s.Ticket
	}
	if s.To != "" {
		return c.addressStands(m.Path, &s)
	}
	return c.roomStands(m.Path, &s)
}

// addressStands takes what the server says of the user's address or everyone.
func (c *Client) addressStands(path string, s *standing) Event {
	p := c.address(s.To)
	if p == nil {
		return nil
	}
	switch path {
	case protocol.PathReset:
		p.asked = false
		p.begin(s.Position)
		return &Reset{To: s.To, Position: s.Position, Reason: s.Reason}
	case protocol.PathJoined:
		p.asked = false
		recovered := s.Recovered != nil && *s.Recovered
		if !recovered {
			p.advance(s.Position)
		}
		return &Joined{To: s.To, Position: p.text, Recovered: recovered, Missed: s.Missed}
	case protocol.PathPosition:
		p.advance(s.Position)
	}
	return nil
}

// address is the place of messages with this "to"; nil if there is no such.
func (c *Client) address(to string) *place {
	switch to {
	case protocol.ToUser:
		return &c.user
	case protocol.ToEveryone:
		return &c.everyone
	}
	return nil
}

// roomStands takes what the server says of a room.
func (c *Client) roomStands(path string, s *standing) Event {
	if s.Room == "" {
		return nil
	}
	r := c.rooms[s.Room]
	if r == nil {
		switch path {
		case protocol.PathReset:
			return &Reset{Room: s.Room, Position: s.Position, Reason: s.Reason}
		case protocol.PathJoined:
			r = c.record(s.Room)
		default:
			return nil
		}
	}
	switch path {
	case protocol.PathJoined:
		if r.leaving {
			return nil
		}
		if !r.wanted {
			r.given = true
		}
		return r.in(s)
	case protocol.PathReset:
		if r.leaving {
			return nil
		}
		no := false
		s.Recovered = &no
		return r.in(s)
	case protocol.PathLeft:
		return r.out(s)
	case protocol.PathLagged:
		return r.tell(&Lagged{Room: s.Room})
	case protocol.PathPosition:
		if !r.asked && !r.lagging {
			r.advance(s.Position)
		}
	}
	return nil
}

// deliver takes a message of the app's. It is called with mu held.
func (c *Client) deliver(l *link, m incoming) (item, bool) {
	if p := c.address(m.To); p != nil && m.Position != "" {
		if !p.takes(m.Position) {
			return item{}, false
		}
	} else if r := c.rooms[m.Room]; m.Room != "" && r != nil {
		if !r.takes(&m) {
			return item{}, false
		}
		if r.stream != nil && m.ID.IsZero() {
			r.stream.add(m.message(), m.size)
			return item{}, false
		}
	}
	return item{link: l, message: m}, true
}
