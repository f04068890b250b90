package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// commandsInFrame is how many commands travel in one message: enough for one
// round trip, and below what a server reads.
const commandsInFrame = 200

// subscribe connects and asks for all rooms without waiting in between, which
// spares Centrifuge the round trip that its own clients make.
func (c *Client) subscribe() error {
	text := []byte(`{"id":1,"connect":{}}`)
	for i, room := range c.Rooms {
		p := c.places[room]
		if len(text) > 0 {
			text = append(text, '\n')
		}
		text = fmt.Appendf(text, `{"id":%d,"subscribe":{"channel":%q`, room+2, RoomName(room))
		if p.position != "" {
			text = fmt.Appendf(text, `,"recover":true,"epoch":%q,"offset":%d`, p.position, p.offset)
		}
		text = append(text, "}}"...)
		if (i+1)%commandsInFrame == 0 {
			if err := c.socket.write(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
	if len(text) == 0 {
		return nil
	}
	return c.socket.write(text)
}

// takeReplies takes one message of Centrifuge, which has a reply or a push in
// each line.
func (c *Client) takeReplies(payload []byte) error {
	for len(payload) > 0 {
		line, rest, _ := bytes.Cut(payload, []byte("\n"))
		payload = rest
		switch {
		case len(line) == 0:
		case string(line) == "{}":
			if err := c.socket.write(line); err != nil { // a pong
				return err
			}
		case bytes.HasPrefix(line, []byte(`{"push":{"channel":`)) && bytes.Contains(line, []byte(noteBegins)):
			offset := numberField(line, `"offset":`)
			EachNote(line, func(n Note) { c.hear(n).offset = offset })
		default:
			if err := c.takeReply(line); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) takeReply(line []byte) error {
	var m struct {
		ID        int
		Error     json.RawMessage
		Push      json.RawMessage
		Subscribe *struct {
			Epoch        string
			Offset       uint64
			Recovered    bool
			Publications []json.RawMessage
		}
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return fmt.Errorf("%w in %s", err, line)
	}
	switch {
	case m.Error != nil || m.Push != nil: // an unsubscribe or a disconnect among them
		return fmt.Errorf("the server said %s", line)
	case m.Subscribe == nil:
		return nil
	}
	p := c.places[m.ID-2]
	if p == nil {
		return fmt.Errorf("a reply to no command: %s", line)
	}
	if p.position != "" && !m.Subscribe.Recovered {
		c.Resets++
		p.number = 0
	}
	p.position, p.offset = m.Subscribe.Epoch, m.Subscribe.Offset
	for _, publication := range m.Subscribe.Publications {
		offset := numberField(publication, `"offset":`) // may be beyond that of the reply
		EachNote(publication, func(n Note) { c.hear(n).offset = offset })
	}
	c.confirm(p)
	return nil
}

// numberField finds the last field with a whole number; 0 if there is none.
func numberField(line []byte, begins string) uint64 {
	i := bytes.LastIndex(line, []byte(begins))
	if i < 0 {
		return 0
	}
	digits := line[i+len(begins):]
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, _ := strconv.ParseUint(string(digits[:end]), 10, 64)
	return n
}
