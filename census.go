package finch

import (
	"context"
	"sync"

	"github.com/finch-go/finch/internal/conn"
)

// census knows the connections that live, for Shutdown: http.Server does not
// see them once they are hijacked.
type census struct {
	mu      sync.Mutex
	conns   map[*conn.Conn]struct{}
	closing bool
	empty   chan struct{} // made by drain, closed when nobody is left
}

// enter admits a connection; false once shutting down.
func (c *census) enter(k *conn.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return false
	}
	if c.conns == nil {
		c.conns = make(map[*conn.Conn]struct{})
	}
	c.conns[k] = struct{}{}
	return true
}

func (c *census) exit(k *conn.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, k)
	if c.empty != nil && len(c.conns) == 0 {
		close(c.empty)
		c.empty = nil
	}
}

func (c *census) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.conns)
}

func (c *census) isClosing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// drain closes everyone with 1001 after their running handlers, and waits
// until all have exited. When ctx ends first the rest is cut off.
func (c *census) drain(ctx context.Context, code int, reason string) error {
	for _, k := range c.close() {
		k.Drain(code, reason)
	}
	c.mu.Lock()
	if len(c.conns) == 0 {
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
	for _, k := range c.close() {
		k.Abort()
	}
	return ctx.Err()
}

// close admits nobody any more and answers who is left.
func (c *census) close() []*conn.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closing = true
	left := make([]*conn.Conn, 0, len(c.conns))
	for k := range c.conns {
		left = append(left, k)
	}
	return left
}
