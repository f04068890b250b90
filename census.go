package finch

import (
	"context"
	"sync"

	"github.com/finch-go/finch/internal/conn"
)

// census counts the connections that live, for Shutdown: http.Server does not
// see them once they are hijacked.
type census struct {
	mu      sync.Mutex
	here    int
	closing bool
	empty   chan struct{} // made by drain, closed when nobody is left
}

// enter counts a connection that is about to live, which exit must follow;
// false once shutting down. Whoever entered and is then where drain's list
// finds it asks isClosing again: drain may have looked before.
func (c *census) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	c.here++
	return true
}

func (c *census) exit() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here--
	if c.empty != nil && c.here == 0 {
		close(c.empty)
		c.empty = nil
	}
}

func (c *census) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.here
}

func (c *census) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// close admits nobody any more.
func (c *census) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
}

// drain admits nobody any more, closes everyone whom list answers after their
// running handlers, and waits until all have exited. When ctx ends first, whom
// list then answers is cut off.
func (c *census) drain(ctx context.Context, list func() []*conn.Conn, code int, reason string) error {
	c.close()
	for _, k := range list() {
		k.Drain(code, reason)
	}
	c.mu.Lock()
	if c.here == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.empty == nil {
		c.empty = make(chan struct{})
	}
	empty := c.empty
	c.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	for _, k := range list() {
		k.Abort()
	}
	return ctx.Err()
}
