package finch

import (
	"context"
	"slices"
)

// MessageHandler handles one message of a socket, as [SocketEvent].OnMessage
// does.
type MessageHandler func(ctx context.Context, s *Socket, m *Message) error

// Middleware stands before handlers: it returns a handler that does something
// before or after the one it is given, or in its place.
type Middleware func(next MessageHandler) MessageHandler

// Use puts middleware before every handler of messages: routes, the manager's
// own OnMessage, and the framework's paths (finch.join, finch.publish and so
// on), so that it can authorise, log and count. The first that was used is the
// outermost. It is called anew for each message, so it is to keep its state
// outside. Messages that are turned down before they have a handler (no
// envelope, unknown path, too fast) do not pass through it.
func (m *SocketManager) Use(middleware ...Middleware) {
	for {
		old := m.middleware.Load()
		all := append(slices.Clone(deref(old)), middleware...)
		if m.middleware.CompareAndSwap(old, &all) {
			return
		}
	}
}

// wrapped puts the middleware before a handler.
func (m *SocketManager) wrapped(on MessageHandler) MessageHandler {
	for _, around := range slices.Backward(deref(m.middleware.Load())) {
		on = around(on)
	}
	return on
}
