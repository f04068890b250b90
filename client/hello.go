package client

import (
	"encoding/json"
	"time"

	"github.com/finch-go/finch/protocol"
)

const (
	// grace is what a living server may take longer than its heartbeat.
	grace = 5 * time.Second
	// defaultHeartbeat, in milliseconds, is for a server that has none.
	defaultHeartbeat = 25_000
)

// What every server takes in one finch.hello unless it says otherwise.
const (
	helloBytes = 64 << 10
	helloRooms = 256
)

// maxDrain bounds the delay that finch.drain may give: beyond it the server
// cannot mean it.
const maxDrain = time.Hour

// hello is the data of finch.hello.
type hello struct {
	Version  int               `json:"version"`
	Ticket   string            `json:"ticket,omitempty"`
	Attempt  int64             `json:"attempt,omitempty"` // beside a ticket; rises from hello to hello
	Rooms    map[string]string `json:"rooms,omitempty"`
	User     string            `json:"user,omitempty"`
	Everyone string            `json:"everyone,omitempty"`
}

// welcome is the data of its answer.
type welcome struct {
	From      string  `json:"from"`
	Resumed   bool    `json:"resumed"`
	Reason    string  `json:"reason"`
	Ticket    string  `json:"ticket"`
	Heartbeat float64 `json:"heartbeat"` // in milliseconds
	Limits    limits  `json:"limits"`
}

// greet makes l the connection of this client and says hello on it; false if the
// client is closed.
func (c *Client) greet(l *link) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return false
	}
	c.link, c.open = l, false
	data := hello{Version: protocol.Version, Ticket: c.ticket, User: c.user.text, Everyone: c.everyone.text}
	if data.Ticket != "" {
		// A program that is started again with its old ticket must not count from
		// one, or the server would think that it comes from the past.
		c.attempt = max(c.attempt+1, time.Now().UnixMilli())
		data.Attempt = c.attempt
	}
	c.nameRooms(&data)
	c.user.asked = c.user.text != ""
	c.everyone.asked = c.everyone.text != ""
	raw, err := json.Marshal(data)
	if err != nil {
		panic("client: finch.hello is no JSON: " + err.Error()) // strings and a number always are
	}
	k := &call{asks: true, outgoing: outgoing{Envelope: protocol.Envelope{Path: protocol.PathHello, Data: raw}}}
	k.then = func(m *incoming, err error) {
		if c.link == l {
			c.welcomed(l, m, err)
		}
	}
	c.put(k)
	return true
}

// nameRooms puts the rooms into finch.hello that the client wants to be in, as
// many as fit into a message. The others are joined one by one: that does for a
// room of the user's, so those that the server gave come first.
func (c *Client) nameRooms(data *hello) {
	left := helloBytes
	if c.limits.MessageBytes > 0 {
		left = min(left, c.limits.MessageBytes)
	}
	left -= 1024 + len(data.Ticket)
	data.Rooms = make(map[string]string)
	for _, given := range []bool{true, false} {
		for name, r := range c.rooms {
			if r.given != given || !given && !r.wanted {
				continue
			}
			left -= 2*len(name) + len(r.text) + 8 // a name may need escapes
			if left < 0 || len(data.Rooms) == helloRooms {
				return
			}
			data.Rooms[name] = r.text
			r.asked, r.greeted = true, true
		}
	}
}

// welcomed takes the answer to finch.hello. It is called with mu held.
func (c *Client) welcomed(l *link, m *incoming, err error) {
	var w welcome
	if err == nil {
		err = json.Unmarshal(m.Data, &w)
	}
	if err != nil {
		l.fail(protocol.CloseAbnormal, "finch.hello was not answered as it should be: "+err.Error())
		return
	}
	if w.Ticket != "" {
		c.ticket = w.Ticket
	}
	c.name = w.From
	c.limits = w.Limits
	if c.heartbeat = c.options.Heartbeat; c.heartbeat == 0 {
		if w.Heartbeat <= 0 {
			w.Heartbeat = defaultHeartbeat
		}
		c.heartbeat = milliseconds(w.Heartbeat, time.Hour) + grace
	}
	c.open = true
	l.open()
	c.setState(State{Phase: Open, Resumed: w.Resumed})
	c.flush()
	for _, r := range c.rooms {
		if (r.wanted || r.given) && !r.asked && !r.member && r.again == nil { // wanted since finch.hello went out
			r.sendJoin()
		}
		r.flushPublishes()
	}
}

// detach forgets a connection that is gone.
func (c *Client) detach(l *link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link != l {
		return
	}
	c.link, c.open = nil, false
	c.user.asked, c.everyone.asked = false, false
	for _, r := range c.rooms {
		r.unlink()
	}
	c.loseCalls()
	c.changed()
}

// drain takes finch.drain. It is called with mu held.
func (c *Client) drain(l *link, m *incoming) {
	var d struct {
		Delay *float64 `json:"delay"` // in milliseconds
	}
	if json.Unmarshal(m.Data, &d) != nil || d.Delay == nil || *d.Delay < 0 {
		c.options.Logger.Debug("finch client: passed over a finch.drain without a delay")
		return
	}
	l.drain(milliseconds(*d.Delay, maxDrain))
}

// milliseconds is a time of the wire, and most if it is more.
func milliseconds(n float64, most time.Duration) time.Duration {
	if n >= float64(most/time.Millisecond) {
		return most
	}
	return time.Duration(n * float64(time.Millisecond))
}
