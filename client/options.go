package client

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Options say how a client behaves. The zero value, and nil, are ready to use.
// They are copied by [New].
type Options struct {
	// Header is sent with each handshake, beside what the handshake needs.
	Header http.Header
	// Token returns what to authenticate with. It is called before the first
	// connection and again when the server says that the token is no longer good
	// (4401, HTTP 401); between these the last one is used. Its context ends with
	// ConnectTimeout. An error means that there is none now: it is asked for
	// again, as after a connection that failed; an error that wraps
	// [ErrSignedOut] means that there will be none, and the client stops. nil: no
	// token, and 4401 stops the client.
	Token func(ctx context.Context) (string, error)
	// TLS is for wss addresses. nil: the defaults of crypto/tls.
	TLS *tls.Config
	// Dial opens the connection below TLS. nil: a net.Dialer. A test connects in
	// memory with it.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// OnState, if not nil, is called with each new state, in order, by a
	// goroutine of its own. If it blocks, older states are skipped, never the
	// newest.
	OnState func(State)
	// OnEvent, if not nil, is called with what happens to rooms that nobody reads
	// with [Room.Events] and to the user's own address and that of everyone, in
	// order with the handlers of [On]: [*Joined], [*Lagged], [*Reset] and [*Left].
	// A [*Reset] means that the app must fetch its state again.
	OnEvent func(ctx context.Context, e Event)
	// Logger gets what goes wrong and no caller is told of. nil: slog.Default().
	Logger *slog.Logger

	// ConnectTimeout bounds everything until finch.hello is answered. Zero: 20 s.
	ConnectTimeout time.Duration
	// RequestTimeout bounds the wait for an answer, the wait for a connection
	// included, where the context has no deadline of its own. Zero: 10 s.
	RequestTimeout time.Duration
	// PublishTimeout is how long a publish is tried before its outcome is called
	// unknown. It must be less than the window in which the server knows a key
	// again (5 minutes). Zero: 60 s.
	PublishTimeout time.Duration
	// PublishRetry is the bound of the random delay before a publish is tried
	// again that was refused with 503; it doubles up to 32 times itself. Zero:
	// 250 ms.
	PublishRetry time.Duration
	// RetryFirst is the bound of the random delay before connecting again. It
	// doubles with each failure up to RetryMax, and begins anew once a connection
	// has held for RetrySteady. Zero: 5 s, 20 s and 10 s. A short RetryFirst is
	// for tests: it is what keeps a crowd of clients from coming back at once.
	RetryFirst, RetryMax, RetrySteady time.Duration
	// Heartbeat is the silence of the server after which the client sends a ping;
	// when still nothing comes for HeartbeatTimeout, the connection is given up.
	// Zero: 5 s more than the heartbeat that finch.hello tells, as a server that
	// lives pings a silent client, or 30 s if it has none; and 10 s. Negative:
	// never.
	Heartbeat, HeartbeatTimeout time.Duration

	// QueueBytes bounds what waits to be sent, publishes included: while there is
	// no connection, and while the server does not read. Beyond it sending is
	// [ErrQueueFull]. Zero: 1 MiB.
	QueueBytes int
	// RoomQueue is how many messages of a room wait for [Room.Events]. Beyond it
	// the room lags: see [Lagged]. Zero: 1,024.
	RoomQueue int
	// InboxBytes bounds the messages that wait for handlers. While it is full
	// nothing is read from the connection. Zero: 4 MiB.
	InboxBytes int
	// MaxMessage bounds one message of the server, in bytes; a larger one costs
	// the connection. Zero: 16 MiB.
	MaxMessage int
}

// filled returns a copy with the defaults in place.
func (o *Options) filled() Options {
	var f Options
	if o != nil {
		f = *o
	}
	f.Header = f.Header.Clone()
	if f.Dial == nil {
		f.Dial = new(net.Dialer).DialContext
	}
	if f.Logger == nil {
		f.Logger = slog.Default()
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&f.ConnectTimeout, 20 * time.Second},
		{&f.RequestTimeout, 10 * time.Second},
		{&f.PublishTimeout, 60 * time.Second},
		{&f.PublishRetry, 250 * time.Millisecond},
		{&f.RetryFirst, 5 * time.Second},
		{&f.RetryMax, 20 * time.Second},
		{&f.RetrySteady, 10 * time.Second},
		{&f.HeartbeatTimeout, 10 * time.Second},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&f.QueueBytes, 1 << 20},
		{&f.RoomQueue, 1024},
		{&f.InboxBytes, 4 << 20},
		{&f.MaxMessage, 16 << 20},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	return f
}

// retry is the policy that the options make.
func (o *Options) retry() retry {
	return retry{first: o.RetryFirst, most: o.RetryMax, steady: o.RetrySteady}
}
