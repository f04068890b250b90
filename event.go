package finch

import (
	"context"

	"github.com/finch-go/finch/internal/conn"
)

// SocketEvent is a set of callbacks; nil ones do nothing. Given to
// [SocketManagerOptions].Event it is the manager's own and sees every socket;
// in a routes map it belongs to the event path that is its key.
//
// The callbacks of one socket run one at a time and in order, so that a
// socket's handlers need no lock among themselves; those of different sockets
// run at the same time. They may block: that holds up their own socket only.
// ctx ends with the connection, except in OnDisconnect.
type SocketEvent struct {
	// OnConnect runs once per socket, before its first message; the socket
	// already counts and can be sent to. The manager's runs first, then the
	// routes' in order of registration. An error closes the socket: an
	// [Error] with the close code that fits its status (4401, 4403, 4429,
	// 1013, else 1008), any other with 1011; the callbacks after it are not
	// called, OnDisconnect is.
	OnConnect func(ctx context.Context, s *Socket) error

	// OnMessage handles an event. The manager's gets the event paths that no
	// route has. When the message asks for an answer and none was given by
	// the time OnMessage returns, one is sent: 200, or what the error says.
	OnMessage func(ctx context.Context, s *Socket, m *Message) error

	// OnText takes a text that is no envelope: anything but a JSON object.
	// Only the manager's is called; nil answers finch.error 400.
	OnText func(ctx context.Context, s *Socket, text string) error

	// OnDisconnect runs exactly once per socket, however it ended, after its
	// last handler has returned: the manager's first, then the routes'. The
	// socket no longer counts and cannot be sent to. ctx is alive until the
	// manager's Shutdown gives up waiting.
	OnDisconnect func(ctx context.Context, s *Socket, why CloseReason)

	// OnError sees the errors that handlers return and that were not meant
	// for the client (see [Error]), or that no answer could carry. A route's
	// own is called if it has one, else the manager's; nil only logs.
	OnError func(ctx context.Context, s *Socket, err error)
}

// CloseReason says how a socket ended.
type CloseReason struct {
	// Code is the close code: the client's when it closed first, ours when
	// we did, 1005 when it gave none, 1006 when it vanished.
	Code   int
	Reason string
	// Clean: both sides said goodbye.
	Clean bool
}

func closeReason(c conn.Close) CloseReason {
	return CloseReason{Code: c.Code, Reason: c.Reason, Clean: c.Clean}
}
