package client

import (
	"strconv"
	"time"
)

// A Phase is what a client is about.
type Phase int

const (
	// Idle: [Client.Connect] was not called yet.
	Idle Phase = iota
	// Connecting: a connection is being opened.
	Connecting
	// Open: the server has greeted; what is sent goes out at once.
	Open
	// Waiting: there is no connection, and the client will open one by itself.
	Waiting
	// Closed: there is no connection, and there will be none.
	Closed
)

// String names the phase in lower case.
func (p Phase) String() string {
	switch p {
	case Idle:
		return "idle"
	case Connecting:
		return "connecting"
	case Open:
		return "open"
	case Waiting:
		return "waiting"
	case Closed:
		return "closed"
	}
	return "phase " + strconv.Itoa(int(p))
}

// A State is a phase and how it came to it.
type State struct {
	Phase Phase
	// Code is the close code that ended the connection: of Waiting and Closed.
	// 1006 if the server sent none, or if there was no connection.
	Code int
	// Reason is for people: of Waiting and Closed.
	Reason string
	// Delay is how long it is until the next try: of Waiting.
	Delay time.Duration
	// Resumed says that the server knows the client's session again: of Open.
	Resumed bool
}

// maxStates is how many states wait for a callback that blocks.
const maxStates = 256

// setState is called with mu held.
func (c *Client) setState(s State) {
	if c.state.Phase == Closed {
		return
	}
	c.state = s
	c.changed()
	if c.options.OnState == nil {
		return
	}
	if len(c.states) == maxStates {
		c.states = c.states[1:]
	}
	c.states = append(c.states, s)
	if !c.telling {
		c.telling = true
		go c.tellStates()
	}
}

// tellStates calls OnState until there is nothing more to tell.
func (c *Client) tellStates() {
	for {
		c.mu.Lock()
		if len(c.states) == 0 {
			c.telling = false
			c.mu.Unlock()
			return
		}
		s := c.states[0]
		c.states = c.states[1:]
		c.mu.Unlock()
		c.options.OnState(s)
	}
}

// changed wakes everybody who waits for something about this client. It is
// called with mu held.
func (c *Client) changed() {
	close(c.change)
	c.change = make(chan struct{})
}
