package client

import (
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// A Policy is the retry policy, for the tests that simulate a crowd.
type Policy struct{ retry }

// NewPolicy returns the policy of a client with default options.
func NewPolicy() *Policy {
	o := (*Options)(nil).filled()
	return &Policy{o.retry()}
}

// An Ending is how a connection ended.
type Ending struct {
	Code       int
	Opened     bool
	Drained    bool
	Held, Slot time.Duration
}

// After is what follows.
func (p *Policy) After(e Ending, canRenew bool, random float64) (stop, newToken bool, delay time.Duration) {
	v := p.after(ending{code: e.Code, opened: e.Opened, held: e.Held, drained: e.Drained, slot: e.Slot}, canRenew, random)
	return v.stop, v.newToken, v.delay
}

// Receive lets the client take one message as if its connection had brought it.
func Receive(c *Client, payload []byte, binary bool) {
	c.mu.Lock()
	l := c.link
	c.mu.Unlock()
	if l == nil {
		return
	}
	op := frame.Text
	if binary {
		op = frame.Binary
	}
	c.received(l, frame.Event{Opcode: op, Payload: payload})
}

// Kept is of how many rooms the client keeps anything.
func Kept(c *Client) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.rooms)
}
