package client

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/finch-go/finch/protocol"
)

// A call is one message on its way out: an event, or a question that waits for
// its answer. Its fields are guarded by the client's mu.
type call struct {
	outgoing
	asks bool
	// inHandler: the asker is a handler, which holds up all that waits behind it.
	inHandler bool
	link      *link // on which it was sent; nil while it waits
	over      bool  // answered, failed or given up
	// then is called with mu held, once, when it is over, unless it was given up.
	// Without an answer m is nil.
	then func(m *incoming, err error)
}

func (k *call) finish(m *incoming, err error) {
	if k.over {
		return
	}
	k.over = true
	if k.then != nil {
		k.then(m, err)
	}
}

// submit sends a call, or lets it wait for the connection. An error means that
// it will do neither. It is called with mu held.
func (c *Client) submit(k *call) error {
	size := k.size()
	switch {
	case c.closed != nil:
		return c.closed
	case c.open && c.tooLarge(k):
		return ErrTooLarge
	case c.open && c.link.queued()+size > c.options.QueueBytes, !c.open && c.queueBytes+size > c.options.QueueBytes:
		return ErrQueueFull
	case c.open:
		c.put(k)
	default:
		c.queue = append(c.queue, k)
		c.queueBytes += size
	}
	return nil
}

// put writes a call to the connection. It is called with mu held.
func (c *Client) put(k *call) {
	k.link = c.link
	if k.asks {
		k.ID = protocol.IntID(c.lastID.Add(1))
		c.calls[k.ID] = k
	}
	c.link.send(&k.outgoing)
}

// tooLarge compares with what the server said that it takes. It is called with
// mu held.
func (c *Client) tooLarge(k *call) bool {
	return c.limits.MessageBytes > 0 && len(k.Data)+len(k.binary)+len(k.Path) > c.limits.MessageBytes
}

// flush sends what waited for the connection. It is called with mu held.
func (c *Client) flush() {
	queue := c.queue
	c.queue = nil
	for _, k := range queue {
		c.queueBytes -= k.size()
		switch {
		case c.tooLarge(k):
			c.options.Logger.Warn("finch client: a message that waited is larger than the server takes", "path", k.Path)
			k.finish(nil, ErrTooLarge)
		case k.asks:
			c.put(k)
		default:
			c.put(k)
			k.finish(nil, nil)
		}
	}
}

// giveUp forgets a call whose answer nobody waits for any more; false if it was
// over already. It is called with mu held.
func (c *Client) giveUp(k *call) bool {
	if k.over {
		return false
	}
	k.over = true
	if c.calls[k.ID] == k {
		delete(c.calls, k.ID)
	}
	if i := slices.Index(c.queue, k); i >= 0 {
		c.queue = slices.Delete(c.queue, i, i+1)
		c.queueBytes -= k.size()
	}
	return true
}

// answered pairs an answer with its question. It is called with mu held.
func (c *Client) answered(m *incoming) {
	k := c.calls[m.Reply]
	if k == nil {
		return // late, twice, or to nothing
	}
	delete(c.calls, m.Reply)
	if m.Error != nil {
		k.finish(nil, &Error{Status: m.Status, Code: m.Error.Code, Message: m.Error.Message})
		return
	}
	k.finish(m, nil)
}

// loseCalls fails what was sent on a connection that is gone. It is called with
// mu held.
func (c *Client) loseCalls() {
	calls := c.calls
	c.calls = make(map[protocol.ID]*call)
	for _, k := range calls {
		k.finish(nil, ErrConnectionLost)
	}
}

// failCalls fails everything that waits. It is called with mu held.
func (c *Client) failCalls(why error) {
	calls, queue := c.calls, c.queue
	c.calls, c.queue = make(map[protocol.ID]*call), nil
	for _, k := range calls {
		k.finish(nil, why)
	}
	for _, k := range queue {
		k.finish(nil, why)
	}
}

// failHandlers fails the questions of handlers, whose answers are not read while
// the inbox is full.
func (c *Client) failHandlers() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, k := range c.calls {
		if k.inHandler {
			delete(c.calls, id)
			k.finish(nil, ErrInboxFull)
		}
	}
}

// Send sends an event, at most once and without an answer: a []byte travels as
// the bytes of a binary message, anything else as JSON. It does not block. While
// there is no connection it waits for the next one.
//
// An error means that nothing was sent: [ErrClosed], [ErrQueueFull],
// [ErrTooLarge], or the path or the data cannot travel.
func (c *Client) Send(path string, data any) error {
	o, err := newOutgoing(path, data)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.submit(&call{outgoing: o})
}

// Request asks the server and waits for the answer. A []byte in travels as the
// bytes of a binary message, anything else as JSON; an Out of []byte takes the
// bytes of a binary answer, one of json.RawMessage any JSON, one of [*Message] the
// whole answer.
//
// While there is no connection the question waits for the next one. Once sent it
// is not sent again: if the connection breaks before the answer the error is
// [ErrConnectionLost]. Others are an [*Error], as the server answered;
// [ErrTimeout], or that of ctx; [ErrClosed]; [ErrQueueFull]; [ErrTooLarge]; and,
// within a handler, [ErrInboxFull].
func Request[In, Out any](ctx context.Context, c *Client, path string, in In) (out Out, err error) {
	m, err := c.ask(ctx, path, in)
	if err != nil {
		return out, err
	}
	return decode[Out](m.message())
}

// Authenticate gives the server a new token on the connection that there is, so
// that it lives on when the old one expires; the client uses it from then on. An
// [*Error] with status 401 or 403 means that the server did not take it.
func (c *Client) Authenticate(ctx context.Context, token string) error {
	if _, err := c.ask(ctx, protocol.PathAuth, map[string]string{"token": token}); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token = token
	return nil
}

// result is what a question came to.
type result struct {
	m   *incoming
	err error
}

// ask is Request without types.
func (c *Client) ask(ctx context.Context, path string, in any) (*incoming, error) {
	o, err := newOutgoing(path, in)
	if err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, c.options.RequestTimeout, ErrTimeout)
		defer cancel()
	}
	answer := make(chan result, 1)
	k := &call{outgoing: o, asks: true, inHandler: ctx.Value(handling{}) == c}
	k.then = func(m *incoming, err error) { answer <- result{m, err} }
	if err := c.begin(ctx, k); err != nil {
		return nil, err
	}
	select {
	case r := <-answer:
		return r.m, r.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	given := c.giveUp(k)
	c.mu.Unlock()
	if !given { // it came at the last moment
		r := <-answer
		return r.m, r.err
	}
	if err := context.Cause(ctx); errors.Is(err, ErrTimeout) {
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return nil, context.Cause(ctx)
}

func (c *Client) begin(ctx context.Context, k *call) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if k.inHandler && c.inbox.isFull() {
		return ErrInboxFull
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.submit(k)
}
