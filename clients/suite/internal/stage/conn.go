package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

// A Conn is one connection of a client under test; the scenario is its server.
type Conn struct {
	*scripted.Conn
	stage  *Stage
	number int
	hello  scripted.Message
}

// A Hello is the data of finch.hello.
type Hello struct {
	Version  int               `json:"version"`
	Ticket   string            `json:"ticket"`
	Token    string            `json:"token"`
	Rooms    map[string]string `json:"rooms"`
	User     *string           `json:"user"`
	Everyone *string           `json:"everyone"`
}

// Take waits for the client's next message.
func (c *Conn) Take() scripted.Message {
	ctx, cancel := c.stage.patience(Patience, "the client sends something on connection %d", c.number)
	defer cancel()
	m, err := c.Next(ctx)
	if err != nil {
		c.stage.Fail("%v", err)
	}
	return m
}

// Expect waits for the client's next message and checks its path.
func (c *Conn) Expect(path string) scripted.Message {
	m := c.Take()
	c.stage.Check(m.Path == path, "the client should have sent %s, but sent %v", path, m)
	return m
}

// Request is Expect for a message that wants an answer and has this data.
func (c *Conn) Request(path, data string) scripted.Message {
	m := c.Expect(path)
	c.stage.Check(!m.ID.IsZero(), "%s should have had an id: %v", path, m)
	c.stage.Check(Same(string(m.Data), data), "the data of %s should have been %s: %v", path, data, m)
	return m
}

// Hello waits for finch.hello, which must be the first message.
func (c *Conn) Hello() Hello {
	m := c.Expect("finch.hello")
	c.stage.Check(!m.ID.IsZero(), "finch.hello has no id")
	var h Hello
	if err := json.Unmarshal(m.Data, &h); err != nil {
		c.stage.Fail("the data of finch.hello is not what it should be: %v", err)
	}
	c.stage.Check(h.Version == 1, "finch.hello should say version 1: %v", m)
	c.hello = m
	return h
}

// Asked returns the message that Hello took.
func (c *Conn) Asked() scripted.Message { return c.hello }

// Welcome answers finch.hello. fields is a JSON object of what the answer has
// beside, or in place of, the least; or empty.
func (c *Conn) Welcome(fields string) {
	answer := map[string]any{
		"version": 1, "client": fmt.Sprintf("socket%d", c.number), "resumed": false, "heartbeat": 25000,
		"ticket": fmt.Sprintf("ticket%d", c.number), "limits": map[string]any{"message_bytes": 65536, "json_depth": 64},
	}
	if fields != "" {
		if err := json.Unmarshal([]byte(fields), &answer); err != nil {
			panic("stage: " + err.Error())
		}
	}
	c.Answer(c.hello, asJSON(answer))
}

// Greet is Hello and Welcome.
func (c *Conn) Greet(fields string) Hello {
	h := c.Hello()
	c.Welcome(fields)
	return h
}

// Event sends an event; data is JSON.
func (c *Conn) Event(path, data string) {
	c.Send(protocol.Envelope{Path: path, Status: protocol.StatusOK, Timestamp: time.Now().UnixMilli(), Data: json.RawMessage(data)})
}

// Post sends a recorded message of a room; data is JSON.
func (c *Conn) Post(room, position, data string) {
	c.Send(protocol.Envelope{Path: "post", Status: protocol.StatusOK, Timestamp: time.Now().UnixMilli(), Room: room, Position: position, From: "ann", Data: json.RawMessage(data)})
}

// Idle fails if the client sends anything within d.
func (c *Conn) Idle(d time.Duration) {
	ctx, cancel := context.WithTimeout(c.stage.ctx, d)
	defer cancel()
	if m, err := c.Next(ctx); err == nil {
		c.stage.Fail("the client sent %v, and should have sent nothing", m)
	}
}

// Ends waits until the client has ended the connection, and returns its close
// code: 1006 if there was none.
func (c *Conn) Ends() int {
	ctx, cancel := c.stage.patience(Patience, "the client ends connection %d", c.number)
	defer cancel()
	end, err := c.Closed(ctx)
	if err != nil {
		c.stage.Fail("%v", err)
	}
	return end.Code
}

// Rest returns what the client sends until the connection ends.
func (c *Conn) Rest() []scripted.Message {
	ctx, cancel := c.stage.patience(Patience, "the client ends connection %d", c.number)
	defer cancel()
	var all []scripted.Message
	for {
		m, err := c.Next(ctx)
		var end *scripted.CloseError
		switch {
		case err == nil:
			all = append(all, m)
		case errors.As(err, &end):
			return all
		default:
			c.stage.Fail("%v", err)
		}
	}
}

func asJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("stage: " + err.Error())
	}
	return string(b)
}
