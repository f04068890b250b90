package client

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/finch-go/finch/protocol"
)

// handling marks the context of a handler; its value is the client.
type handling struct{}

// A handler answers with data, or with an error.
type handler func(ctx context.Context, m *Message) (data any, err error)

// On handles an event path: data is decoded into In; an In of []byte takes the
// bytes of a binary message, one of json.RawMessage any JSON, one of [*Message]
// the whole message. A second call for a path replaces the first: no message is
// handled twice.
//
// Handlers run one after another, in the order in which messages came. One that
// takes long holds up those behind it, and at [Options].InboxBytes the
// connection. ctx ends when the client is closed. An error is logged; if the
// server asked it gets an [*Error] as it is, and any other as 500 internal. If
// it asked and the handler returns nil, it gets null.
//
// Messages of a room that is read with [Room.Events] do not come here.
func On[In any](c *Client, path string, handle func(ctx context.Context, in In) error) {
	c.register(path, func(ctx context.Context, m *Message) (any, error) {
		in, err := decode[In](m)
		if err != nil {
			return nil, err
		}
		return nil, handle(ctx, in)
	})
}

// OnRequest handles a path on which the server asks: what handle returns is the
// data of the answer, a []byte as the bytes of a binary message. Otherwise it is
// as [On].
func OnRequest[In, Out any](c *Client, path string, handle func(ctx context.Context, in In) (Out, error)) {
	c.register(path, func(ctx context.Context, m *Message) (any, error) {
		in, err := decode[In](m)
		if err != nil {
			return nil, err
		}
		return handle(ctx, in)
	})
}

func decode[In any](m *Message) (in In, err error) {
	if whole, ok := any(&in).(**Message); ok {
		*whole = m
		return in, nil
	}
	return in, m.Decode(&in)
}

func (c *Client) register(path string, h handler) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers[path] = h
}

// dispatch runs the handlers. It ends with the client.
func (c *Client) dispatch() {
	ctx := context.WithValue(c.life, handling{}, c)
	for {
		it, ok := c.inbox.take()
		if !ok {
			select {
			case <-c.inbox.filled:
				continue
			case <-c.life.Done():
				return
			}
		}
		if c.life.Err() != nil {
			return
		}
		if it.event != nil {
			c.options.OnEvent(ctx, it.event)
			continue
		}
		c.serve(ctx, &it)
	}
}

// serve gives one message to its handler.
func (c *Client) serve(ctx context.Context, it *item) {
	asked := !it.message.ID.IsZero()
	c.mu.Lock()
	h := c.handlers[it.message.Path]
	current := c.link == it.link
	c.mu.Unlock()
	switch {
	case asked && !current:
		return // nobody is left to answer
	case h == nil && !asked:
		return
	case h == nil:
		c.answer(it, nil, &Error{Status: protocol.StatusNotFound, Code: protocol.RefusalUnknownPath, Message: "nothing here handles this path"})
		return
	}
	data, err := h(ctx, it.message.message())
	if err != nil {
		c.options.Logger.Warn("finch client: a handler failed", "path", it.message.Path, "error", err)
	}
	if asked {
		c.answer(it, data, err)
	}
}

// answer answers a question of the server, on the connection on which it came
// and on no other.
func (c *Client) answer(it *item, data any, err error) {
	o := outgoing{Envelope: protocol.Envelope{Path: it.message.Path, Status: protocol.StatusOK, Reply: it.message.ID}}
	if err == nil {
		if b, ok := data.([]byte); ok && b != nil {
			o.binary = b
		} else {
			o.Data, err = protocol.Marshal(data)
		}
	}
	if err != nil {
		var e *Error
		if !errors.As(err, &e) || e.Status < 400 || e.Status > 999 {
			e = &Error{Status: protocol.StatusInternalServerError, Code: protocol.RefusalInternal, Message: "the client failed to answer"}
		}
		o.Status, o.Data, o.binary = e.Status, json.RawMessage(nil), nil
		o.Error = &protocol.Error{Code: e.Code, Message: e.Message}
	}
	it.link.send(&o)
}
