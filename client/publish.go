package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/finch-go/finch/protocol"
)

// maxWindow is how many publishes of a room are under way at a time. After one
// that failed it is one, as the server holds back what comes behind, and doubles
// with each that is recorded.
const maxWindow = 64

// maxKey is the longest publish key in bytes.
const maxKey = 128

// PublishOptions are for one publish. nil and the zero value are fine.
type PublishOptions struct {
	// Key is what the server knows the publish by when it is tried again, on
	// whatever connection: 1 to 128 bytes, which nothing else may have been
	// published under. An app that keeps what it has to publish keeps the key
	// with it. Empty: 128 random bits.
	Key string
	// NoEcho asks that the message does not come back to this client.
	NoEcho bool
}

// Published is where a message was recorded.
type Published struct {
	// Position is the message's in the room. It does not move the reader's.
	Position string
	// Duplicate says that a message with this key was there before, as when the
	// answer to an earlier try was lost.
	Duplicate bool
	// Key is what it was published under.
	Key string
}

// Publishing is a publish under way. Its methods may be called by any goroutine.
type Publishing struct {
	c    *Client
	room *room
	key  string
	out  outgoing

	done chan struct{} // closed when result and err are set

	// Guarded by the client's mu until done is closed.
	result  Published
	err     error
	sent    bool        // it has left this client
	try     *call       // under way on the connection that there is; nil: none
	timeout *time.Timer // of the try
	expiry  *time.Timer // of the whole
}

// Publish records a message in the room and waits until it is: exactly once,
// however often the connection breaks. It is tried again, under one key, for
// [Options].PublishTimeout. What one goroutine publishes in a room is recorded in
// that order, over failures too.
//
// data travels as JSON; bytes cannot be published. Errors: an [*Error], as the
// server answered; [ErrOutcomeUnknown] if it may have been recorded; [ErrNotSent]
// or the error of ctx if it was not; [ErrClosed]; [ErrQueueFull]; [ErrTooLarge].
func (r Room) Publish(ctx context.Context, path string, data any, o *PublishOptions) (Published, error) {
	p, err := r.StartPublish(path, data, o)
	if err != nil {
		return Published{}, err
	}
	select {
	case <-p.done:
		return p.result, p.err
	case <-ctx.Done():
		p.abandon(context.Cause(ctx))
		<-p.done
		return p.result, p.err
	}
}

// StartPublish is [Room.Publish] without the wait: it returns when the message
// has its place in the order of what this client publishes in the room.
func (r Room) StartPublish(path string, data any, o *PublishOptions) (*Publishing, error) {
	if o == nil {
		o = new(PublishOptions)
	}
	key := o.Key
	if key == "" {
		key = rand.Text()
	}
	if len(key) > maxKey {
		return nil, fmt.Errorf("client: the publish key has %d bytes, which is more than %d", len(key), maxKey)
	}
	out, err := publishing(r.name, path, key, data, o.NoEcho)
	if err != nil {
		return nil, err
	}
	c := r.client
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed != nil:
		return nil, c.closed
	case c.open && c.tooLarge(&call{outgoing: out}):
		return nil, ErrTooLarge
	case c.queueBytes+out.size() > c.options.QueueBytes:
		return nil, ErrQueueFull
	}
	record := c.record(r.name)
	p := &Publishing{c: c, room: record, key: key, out: out, done: make(chan struct{})}
	record.publishes = append(record.publishes, p)
	c.queueBytes += out.size()
	p.expiry = time.AfterFunc(c.options.PublishTimeout, func() { p.abandon(nil) })
	record.flushPublishes()
	return p, nil
}

// publishing makes the message of finch.publish.
func publishing(room, path, key string, data any, noEcho bool) (outgoing, error) {
	if _, ok := data.([]byte); ok {
		return outgoing{}, errors.New("client: bytes cannot be published: send JSON, or where the bytes are to be found")
	}
	inner, err := newOutgoing(path, data)
	if err != nil {
		return outgoing{}, err
	}
	if protocol.IsFrameworkPath(path) {
		return outgoing{}, fmt.Errorf("client: the path %q is the framework's", path)
	}
	var echo *bool
	if noEcho {
		echo = new(bool)
	}
	return newOutgoing(protocol.PathPublish, struct {
		Room string          `json:"room"`
		Path string          `json:"path"`
		Data json.RawMessage `json:"data"`
		Key  string          `json:"key"`
		Echo *bool           `json:"echo,omitempty"`
	}{room, path, inner.Data, key, echo})
}

// Key returns what the message is published under.
func (p *Publishing) Key() string { return p.key }

// Done returns a channel that is closed when the outcome is known, or known to
// be unknown.
func (p *Publishing) Done() <-chan struct{} { return p.done }

// Wait waits for the outcome; see [Room.Publish] for the errors. If ctx ends
// before, its error is returned and the publish goes on.
func (p *Publishing) Wait(ctx context.Context) (Published, error) {
	select {
	case <-p.done:
		return p.result, p.err
	case <-ctx.Done():
		return Published{}, context.Cause(ctx)
	}
}

// abandon gives the publish up: for a reason, or because its time is over.
func (p *Publishing) abandon(why error) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.fail(why)
	p.room.flushPublishes()
	p.room.tidy()
}

// fail ends the publish without an answer. It is called with mu held.
func (p *Publishing) fail(why error) {
	err := ErrNotSent
	if p.sent {
		err = ErrOutcomeUnknown
	}
	switch {
	case why == nil:
	case !p.sent:
		err = why
	default:
		err = fmt.Errorf("%w: %w", err, why)
	}
	p.finish(Published{}, err)
}

// finish tells the outcome. It is called with mu held; the first counts.
func (p *Publishing) finish(result Published, err error) {
	select {
	case <-p.done:
		return
	default:
	}
	p.expiry.Stop()
	p.endTry()
	r := p.room
	if i := slices.Index(r.publishes, p); i >= 0 {
		r.publishes = slices.Delete(r.publishes, i, i+1)
		p.c.queueBytes -= p.out.size()
	}
	p.result, p.err = result, err
	close(p.done)
}

func (p *Publishing) endTry() {
	p.try = nil
	if p.timeout != nil {
		p.timeout.Stop()
		p.timeout = nil
	}
}

// start sends the message once. It is called with mu held.
func (p *Publishing) start() {
	c := p.c
	k := &call{outgoing: p.out, asks: true}
	if c.tooLarge(k) {
		p.finish(Published{}, ErrTooLarge)
		return
	}
	k.then = func(m *incoming, err error) { p.answered(k, m, err) }
	p.try, p.sent = k, true
	c.put(k)
	p.timeout = time.AfterFunc(c.options.RequestTimeout, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if p.try == k && !k.over { // an answer that comes late counts, if it says that all is well
			p.failed()
		}
	})
}

// answered takes the answer to a try. It is called with mu held.
func (p *Publishing) answered(k *call, m *incoming, err error) {
	var done struct {
		Position  string `json:"position"`
		Duplicate bool   `json:"duplicate"`
	}
	if err == nil {
		if err = json.Unmarshal(m.Data, &done); err == nil {
			p.room.failures = 0
			p.room.window = min(2*p.room.window, maxWindow)
			p.finish(Published{Position: done.Position, Duplicate: done.Duplicate, Key: p.key}, nil)
			p.room.flushPublishes()
			p.room.tidy()
			return
		}
		err = &Error{Status: protocol.StatusUnavailable, Code: protocol.RefusalUnknownOutcome, Message: "the answer makes no sense"}
	}
	if p.try != k {
		return // another try is under way
	}
	var e *Error
	switch {
	case !errors.As(err, &e): // the connection is lost: on the next one
		p.endTry()
	case e.Status >= protocol.StatusInternalServerError: // perhaps it was recorded, and only the key can tell
		p.failed()
	default:
		p.finish(Published{}, e)
		p.room.flushPublishes()
		p.room.tidy()
	}
}

// failed: the try came to nothing, and there will be another. It is called with
// mu held.
func (p *Publishing) failed() {
	p.endTry()
	p.room.stalled, p.room.window = true, 1
	p.room.flushPublishes()
}

// flushPublishes sends what may be sent now, in order: nothing overtakes a
// publish that has failed, and nothing is sent before the client is in the room.
// It is called with mu held.
func (r *room) flushPublishes() {
	underway := 0
	for _, p := range r.publishes {
		if p.try != nil {
			underway++
		}
	}
	switch {
	case !r.c.open || !r.member && (r.wanted || r.given) || r.pause != nil:
		return
	case r.stalled && underway > 0:
		return // the order shows when all of them are answered
	case r.stalled:
		r.pausePublishes()
		return
	}
	for _, p := range slices.Clone(r.publishes) {
		if p.try == nil && underway < r.window {
			p.start()
			underway++
		}
	}
}

// pausePublishes begins again with the first, after a random delay.
func (r *room) pausePublishes() {
	bound := r.c.options.PublishRetry << min(r.failures, 5)
	r.failures++
	var t *time.Timer
	t = time.AfterFunc(time.Duration(random()*float64(bound)), func() {
		r.c.mu.Lock()
		defer r.c.mu.Unlock()
		if r.pause != t {
			return
		}
		r.pause, r.stalled = nil, false
		r.flushPublishes()
	})
	r.pause = t
}

// failPublishes ends all publishes of the room, for a reason.
func (r *room) failPublishes(why error) {
	for _, p := range slices.Clone(r.publishes) {
		p.fail(why)
	}
}
