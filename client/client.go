package client

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// A Client keeps one connection to a server, and opens it again when it is lost.
// All of its methods may be called by any goroutine, handlers included.
type Client struct {
	url     *url.URL
	options Options
	inbox   *inbox
	lastID  atomic.Int64
	retry   retry // of run's alone

	life context.Context // ends with Close
	end  context.CancelCauseFunc

	mu sync.Mutex // guards everything below

	state   State
	change  chan struct{} // closed and renewed with each change of state, rooms and calls
	states  []State       // not yet told to OnState
	telling bool
	begun   bool
	closed  *ClosedError // nil while it is not

	handlers map[string]handler

	token string // the last that Token gave; empty: ask for one

	// The connection. link is nil while there is none; it greets until open.
	link   *link
	open   bool
	limits limits
	// heartbeat is the silence after which to look for signs of life; not more
	// than 0: never.
	heartbeat time.Duration

	queue      []*call               // waits for the connection to open, in order
	queueBytes int                   // of queue, and of publishes that are not recorded
	calls      map[protocol.ID]*call // sent on link, not answered

	ticket   string
	attempt  int64  // of the last hello with a ticket
	name     string // under which others see this client
	rooms    map[string]*room
	user     place
	everyone place
}

// limits are what the server says of itself.
type limits struct {
	MessageBytes int `json:"message_bytes"`
}

// New returns a client that is not connected, so that handlers can be
// registered before the first message comes. The address begins with ws:// or
// wss://; http:// and https:// mean the same. The error says what is wrong with
// the address.
func New(address string, o *Options) (*Client, error) {
	u, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	c := &Client{
		url: u, options: o.filled(), change: make(chan struct{}),
		handlers: make(map[string]handler), calls: make(map[protocol.ID]*call), rooms: make(map[string]*room),
	}
	c.inbox = newInbox(c.options.InboxBytes)
	c.retry = c.options.retry()
	c.life, c.end = context.WithCancelCause(context.Background())
	return c, nil
}

// Dial is [New] and [Client.Connect]; if the client does not get connected it is
// closed. Messages that come at once find only the handlers of those who call
// New, then [On], then Connect.
func Dial(ctx context.Context, address string, o *Options) (*Client, error) {
	c, err := New(address, o)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Connect begins to connect, and to keep connected, and waits until the
// connection is open. If ctx ends before, its error is returned and the client
// goes on trying: [Client.Close] stops it. A [*ClosedError] is returned when the
// server has refused for good.
func (c *Client) Connect(ctx context.Context) error {
	c.mu.Lock()
	if !c.begun && c.closed == nil {
		c.begun = true
		go c.run()
		go c.dispatch()
	}
	c.mu.Unlock()
	return c.wait(ctx, func() (bool, error) {
		if c.closed != nil {
			return true, c.closed
		}
		return c.open, nil
	})
}

// State returns what the client is about now.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// Name returns the name under which others see this client, in [Message].From
// and in [Presence]: its user or, if it is anonymous, an id that stays the same
// while the server knows its session again. It is empty until the first
// connection is open, and with a server that does not say.
func (c *Client) Name() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.name
}

// Close ends the connection with close code 1000, behind everything that was
// sent, and waits for the server to agree, two seconds at most. Requests under
// way fail, no handler begins any more, and every room's events end. A second
// call does nothing.
func (c *Client) Close() error {
	l := c.shut(&ClosedError{Code: protocol.CloseNormal})
	if l == nil {
		return nil
	}
	l.leave(protocol.CloseNormal, "")
	<-l.done
	return nil
}

// shut closes the client for good and returns the connection that it had.
func (c *Client) shut(why *ClosedError) *link {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed != nil {
		return nil
	}
	c.closed = why
	l := c.link
	if l != nil && c.open { // what was sent before goes out before the close
		c.flush()
	}
	c.link, c.open = nil, false
	c.failCalls(why)
	for _, r := range c.rooms {
		r.failPublishes(why)
		r.clearTimers()
	}
	c.setState(State{Phase: Closed, Code: why.Code, Reason: why.Reason})
	c.inbox.close()
	c.end(why)
	return l
}

// wait waits until done says so. done is called with mu held, and again after
// each change.
func (c *Client) wait(ctx context.Context, done func() (bool, error)) error {
	for {
		c.mu.Lock()
		ok, err := done()
		change := c.change
		c.mu.Unlock()
		if ok || err != nil {
			return err
		}
		select {
		case <-change:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// random is uniform in [0, 1).
func random() float64 { return rand.Float64() }

// received takes what the reader of a link got, in order.
func (c *Client) received(l *link, ev frame.Event) {
	switch ev.Opcode {
	case frame.Ping:
		l.frame(frame.Pong, ev.Payload)
	case frame.Text, frame.Binary:
		payload := ev.Payload
		if !ev.Owned { // it lies in the reader's buffer
			payload = append(make([]byte, 0, len(payload)), payload...)
		}
		m, err := parse(payload, ev.Opcode == frame.Binary)
		switch {
		case errors.Is(err, protocol.ErrNotEnvelope): // a text of the app's own
			c.options.Logger.Debug("finch client: passed over a text", "bytes", len(payload))
			return
		case err != nil:
			c.options.Logger.Warn("finch client: passed over a message that is not of the form", "bytes", len(payload), "error", err)
			return
		}
		if item, ok := c.handle(l, m); ok {
			c.enqueue(l, item)
		}
	}
}
