package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// hello asks for all rooms in one message, as the clients of Finch do.
func (c *Client) hello() error {
	rooms := make(map[string]string, len(c.Rooms))
	for room, p := range c.places {
		rooms[RoomName(room)] = p.position
	}
	data := map[string]any{"version": 1, "rooms": rooms}
	if c.ticket != "" {
		data["ticket"], data["attempt"] = c.ticket, time.Now().UnixMilli()
	}
	text, err := json.Marshal(map[string]any{"path": "finch.hello", "id": 1, "data": data})
	if err != nil {
		return err
	}
	return c.socket.write(text)
}

// framework is what begins a message of Finch itself.
var framework = []byte(`{"path":"finch.`)

// takeEnvelope takes one message of Finch.
func (c *Client) takeEnvelope(payload []byte) error {
	if bytes.HasPrefix(payload, framework) {
		return c.takeFramework(payload)
	}
	position := textField(payload, `"position":"`)
	EachNote(payload, func(n Note) {
		if p := c.places[n.Room]; p != nil && p.waiting && p.position != "" {
			return // it comes again, behind finch.joined
		}
		c.hear(n).position = position
	})
	return nil
}

func (c *Client) takeFramework(payload []byte) error {
	var m struct {
		Path  string
		Error *struct{ Code, Message string }
		Data  struct {
			Ticket, Room, Position, Reason string
			Missed                         int
			Error                          *struct{ Code, Message string }
		}
	}
	if err := json.Unmarshal(payload, &m); err != nil {
		return err
	}
	if m.Error != nil {
		return fmt.Errorf("%s: %s: %s", m.Path, m.Error.Code, m.Error.Message)
	}
	if m.Data.Ticket != "" {
		c.ticket = m.Data.Ticket
	}
	p := c.places[roomNumber(m.Data.Room)]
	switch {
	case m.Path == "finch.left" || m.Path == "finch.error" || m.Path == "finch.lagged":
		return fmt.Errorf("the server said %s", payload)
	case p == nil:
	case m.Path == "finch.joined":
		p.position = m.Data.Position
		p.owed = m.Data.Missed
		c.owed += m.Data.Missed
		c.confirm(p)
	case m.Path == "finch.reset":
		p.position = m.Data.Position
		c.Resets++
		c.confirm(p)
	}
	return nil
}

// roomNumber is the reverse of RoomName; -1 of no room.
func roomNumber(name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "bench:"))
	if err != nil {
		return -1
	}
	return n
}

// textField finds a field with a text that has no escapes.
func textField(payload []byte, begins string) string {
	_, rest, ok := bytes.Cut(payload, []byte(begins))
	end := bytes.IndexByte(rest, '"')
	if !ok || end < 0 {
		return ""
	}
	return string(rest[:end])
}
