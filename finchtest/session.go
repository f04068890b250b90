package finchtest

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"time"

	"github.com/finch-go/finch/protocol"
)

// Greeting is what the server answers to a hello.
type Greeting struct {
	Client  string `json:"client"`  // the socket's id
	From    string `json:"from"`    // how others see this client
	Resumed bool   `json:"resumed"` // the session goes on
	Reason  string `json:"reason"`  // why it does not
	Ticket  string `json:"ticket"`
}

// Outcome is what the server answers to a join.
type Outcome struct {
	Room      string `json:"room"`
	Position  string `json:"position"`
	Recovered *bool  `json:"recovered"` // nil if it was not asked for
	Missed    int    `json:"missed"`
	Reason    string `json:"reason"` // why it was not recovered
}

// standing is where a client stands: what it needs to resume.
type standing struct {
	ticket    string
	attempt   int               // of its connections
	positions map[string]string // of rooms, "" where unknown; by the key of place
	awaited   map[string]bool   // places that are being resumed
}

// place is the key of an address in standing: a room's name behind a slash, or
// the word of the field to.
func place(room, to string) string {
	if to != "" {
		return to
	}
	return "/" + room
}

// follow takes notice of what a message says about where the client stands;
// false for a message of a room that is being resumed, which comes again.
func (s *standing) follow(e *protocol.Envelope) bool {
	if e.Position != "" {
		at := place(e.Room, e.To)
		if s.awaited[at] {
			return false
		}
		if _, in := s.positions[at]; in || e.To != "" {
			s.set(at, e.Position)
		}
		return true
	}
	switch e.Path {
	case protocol.PathHello, protocol.PathJoin, protocol.PathJoined, protocol.PathReset, protocol.PathPosition, protocol.PathLeft:
	default:
		return true
	}
	var data struct {
		Room, To, Position, Ticket string
	}
	if json.Unmarshal(e.Data, &data) != nil {
		return true
	}
	if data.Ticket != "" {
		s.ticket = data.Ticket
	}
	if data.Room == "" && data.To == "" {
		return true
	}
	at := place(data.Room, data.To)
	delete(s.awaited, at)
	if e.Path == protocol.PathLeft {
		delete(s.positions, at)
		return true
	}
	s.set(at, data.Position)
	return true
}

func (s *standing) set(at, position string) {
	if s.positions == nil {
		s.positions = make(map[string]string)
	}
	s.positions[at] = position
}

// hello makes the request of a client that comes, or comes back.
func (s *standing) hello() map[string]any {
	rooms := map[string]string{}
	s.attempt++
	data := map[string]any{"version": protocol.Version, "attempt": s.attempt}
	s.awaited = make(map[string]bool)
	for at, position := range s.positions {
		if position != "" {
			s.awaited[at] = true
		}
		if room, ok := cutRoom(at); ok {
			rooms[room] = position
		} else {
			data[at] = position
		}
	}
	if len(rooms) > 0 {
		data["rooms"] = rooms
	}
	if s.ticket != "" {
		data["ticket"] = s.ticket
	}
	return data
}

func cutRoom(at string) (string, bool) {
	if at[0] == '/' {
		return at[1:], true
	}
	return "", false
}

// Hello says hello, as clients that resume do. It fails the test if the server
// refuses.
func (c *Client) Hello() Greeting {
	c.t.Helper()
	c.mu.Lock()
	data := c.standing.hello()
	c.mu.Unlock()
	g, err := Request[Greeting](c, protocol.PathHello, data)
	if err != nil {
		c.t.Fatalf("finchtest: hello: %v", err)
	}
	return g
}

// Resume connects again as the same client, after [Client.Drop] or when the
// server has closed: with the session's ticket and a position for each room, so
// that what was missed follows. It may be called while the old connection still
// lives. Messages that were not read stay unread.
func (c *Client) Resume() Greeting {
	c.t.Helper()
	nc := c.dial()
	c.mu.Lock()
	c.nc, c.ended, c.code, c.reason = nc, false, 0, ""
	c.mu.Unlock()
	go c.read(nc)
	return c.Hello()
}

// Turn makes the next [Client.Resume] go to another handler: to another node.
func (c *Client) Turn(h http.Handler) {
	c.t.Helper()
	c.dial = func() net.Conn { return dial(c.t, h, c.request) }
	c.t.Cleanup(func() { shutDown(h) })
	c.t.Cleanup(c.leave)
}

// Join joins a room as clients do, from where this one stands there. An error
// is the server's refusal.
func (c *Client) Join(room string) (Outcome, error) {
	c.t.Helper()
	c.mu.Lock()
	data := map[string]string{"room": room}
	if position := c.standing.positions[place(room, "")]; position != "" {
		data["position"] = position
	}
	c.mu.Unlock()
	return Request[Outcome](c, protocol.PathJoin, data)
}

// Leave leaves a room.
func (c *Client) Leave(room string) {
	c.t.Helper()
	if _, err := Request[any](c, protocol.PathLeave, map[string]string{"room": room}); err != nil {
		c.t.Fatalf("finchtest: leave: %v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.standing.positions, place(room, ""))
}

// Publish publishes as clients do; an empty key is none. It returns the
// message's position, and whether it had been recorded before.
func (c *Client) Publish(room, path string, data any, key string) (position string, duplicate bool, err error) {
	c.t.Helper()
	in := map[string]any{"room": room, "path": path, "data": data}
	if key != "" {
		in["key"] = key
	}
	out, err := Request[struct {
		Position  string
		Duplicate bool
	}](c, protocol.PathPublish, in)
	return out.Position, out.Duplicate, err
}

// Positions returns where the client stands in each of its rooms.
func (c *Client) Positions() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	positions := maps.Clone(c.standing.positions)
	rooms := make(map[string]string, len(positions))
	for at, position := range positions {
		if room, ok := cutRoom(at); ok {
			rooms[room] = position
		}
	}
	return rooms
}

// Pass lets time go by, inside synctest in no time at all: for graces, windows
// and expiries.
func Pass(d time.Duration) { time.Sleep(d) }
