package finch

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// SocketManagerOptions configure a [SocketManager]. The zero value and nil
// are fine: everybody may connect from the same host, in memory, with the
// documented limits.
type SocketManagerOptions struct {
	// App, if set, answers this manager from [App.SocketManager] and closes
	// it on Shutdown. An App has one manager.
	App *App
	// Event is the manager's own set of callbacks.
	Event SocketEvent
	// Routes are callbacks by event path; see [SocketManager.AddRoutes].
	Routes map[string]SocketEvent
	// Authenticate finds out who a client is, before the upgrade. An [Error]
	// refuses with its status (a client that offered a finch. subprotocol is
	// upgraded and closed with 4401 or 4403, because browsers hide the
	// status); any other error is logged and refuses with 500. Nil: all are
	// anonymous. It may run many times at once.
	Authenticate func(r *http.Request) (Identity, error)
	// AllowedOrigins names pages of other origins that may connect:
	// "https://app.example.com", a host pattern "*.example.com", or "*".
	// The host that was asked for, and loopback to loopback, always may.
	AllowedOrigins []string
	// KeepHeaders names the request headers that a socket keeps for
	// [Handshake.Header]. Nil: all, cookies among them, but no Authorization;
	// empty but not nil: none, which saves about 600 bytes a socket.
	KeepHeaders []string
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// Session follows clients across reconnects.
	Session SessionEvent
	// Grace is how long a client that vanished counts as present and its
	// session as held. Zero: 15 s, which is longer than most reconnects take.
	// Negative: none.
	Grace time.Duration
	// Secret seals the tickets with which clients resume their sessions. All
	// nodes of a cluster need the same one; keep it as you keep a password.
	// Nil: random, so that tickets end with the process. It is required with a
	// Broker that joins processes.
	Secret []byte
	// TicketAge is how long a ticket is good for. Zero: 24 hours.
	TicketAge time.Duration
	// Broker joins this manager with those of other processes, and keeps what
	// is published. The manager starts it when it is first needed and closes it
	// on Shutdown. Nil: memory.New(nil), which is for one process.
	Broker broker.Broker
	// NodeID names this node among those of the broker: 1 to 64 letters,
	// digits, - and _. Empty: random.
	NodeID string
	// DrainWindow is over how long Shutdown sends clients away, so that they do
	// not all reach the other nodes at one moment. Zero: as long as those need to
	// take so many at the rate at which this node was reached at its busiest, at
	// least 1,000 a second; at once if that is less than half a second. Negative:
	// at once. It takes at most four fifths of the time that Shutdown's context
	// leaves.
	DrainWindow time.Duration
	// Limits bound what a socket may cost; zero fields take the defaults.
	Limits Limits
	// Heartbeat is how long a client may be silent before it is pinged; it
	// then has 20 s to say anything. Zero: 25 s, because proxies cut idle
	// connections after 60. Negative: no pings.
	Heartbeat time.Duration
	// Engine is how connections wait for bytes. Zero: what costs least.
	Engine Engine
	// Compression lets clients have their messages compressed. Nil: off.
	Compression *Compression
	// Logger gets what goes wrong. Nil: slog.Default().
	Logger *slog.Logger
}

// SocketManager accepts WebSocket connections and knows who is connected. It
// is an [http.Handler] for any router. All methods may be called by any
// goroutine.
type SocketManager struct {
	app          *App
	event        SocketEvent
	authenticate func(r *http.Request) (Identity, error)
	limits       Limits
	heartbeat    time.Duration
	logger       *slog.Logger

	node         *node
	declarations declarations
	drain        time.Duration
	arrivals     arrivals
	sessionEvent SessionEvent
	grace        time.Duration
	ticketAge    time.Duration
	sealer       sealer
	sessions     sessions
	presence     presence
	shares       shares

	undeclaredHint hints
	middleware     atomic.Pointer[[]Middleware]

	gate     gate
	registry *registry
	hub      *hub.Hub
	pump     pump
	census   census
	meter    conn.Meter
	panics   atomic.Int64

	underway  atomic.Int64 // upgrades now
	addresses addresses

	// alive is the context of OnDisconnect: it ends when Shutdown is over.
	alive context.Context
	end   context.CancelFunc
}

// NewSocketManager returns a manager that is ready to serve; nil options are
// the defaults. It panics if the routes cannot be registered or the App has a
// manager already, naming both places, and on a level of compression that
// there is not.
func NewSocketManager(o *SocketManagerOptions) *SocketManager {
	if o == nil {
		o = new(SocketManagerOptions)
	}
	at := place()
	m := &SocketManager{
		app:          o.App,
		event:        o.Event,
		authenticate: o.Authenticate,
		limits:       o.Limits,
		heartbeat:    o.Heartbeat,
		logger:       o.Logger,
		registry:     newRegistry(),
		drain:        o.DrainWindow,
		sessionEvent: o.Session,
		grace:        cmp.Or(o.Grace, 15*time.Second),
		ticketAge:    cmp.Or(o.TicketAge, 24*time.Hour),
		sealer:       newSealer(o.Secret),
	}
	m.presence.manager, m.shares.manager = m, m
	m.pump.hub = hub.New(hub.Options{
		Wake:        m.pump.wake,
		Yield:       runtime.Gosched,
		LogBytes:    o.Limits.QueueBytes,
		MemberBytes: o.Limits.QueueBytes,
		NodeBytes:   o.Limits.NodeBytes,
	})
	m.hub = m.pump.hub
	if m.logger == nil {
		m.logger = slog.Default()
		if o.App != nil {
			m.logger = o.App.logger
		}
	}
	m.alive, m.end = context.WithCancel(context.Background())
	m.gate = gate{
		origins: slices.Clone(o.AllowedOrigins),
		keep:    slices.Clone(o.KeepHeaders),
		trusted: slices.Clone(o.TrustedProxies),
		engine:  o.Engine.engine(),
		config:  o.Limits.config(o.Heartbeat, &m.meter),
		logger:  m.logger,
	}
	m.gate.compress(o.Compression)
	m.node = newNode(m, o.NodeID, o.Broker)
	if o.Secret == nil && m.node.caps.Cluster {
		panic("finch: " + at + ": a broker that joins processes needs SocketManagerOptions.Secret, the same on all of them")
	}
	m.registry.add(entriesOf(o.Routes, at)...)
	if o.App != nil {
		o.App.adopt(m, at)
	}
	return m
}

// AddRoutes registers callbacks by event path: the name that messages carry,
// not a URL path. It panics when a path is taken, reserved or impossible, and
// names both places. Sockets that are connected already get the new routes'
// messages, but not their OnConnect.
func (m *SocketManager) AddRoutes(routes map[string]SocketEvent) {
	m.registry.add(entriesOf(routes, place())...)
}

// SendToAll sends an event to every connected socket; see [Room.Send].
func (m *SocketManager) SendToAll(path string, data any, opts ...SendOption) error {
	return m.Everyone().Send(path, data, opts...)
}

// SendToUser sends an event to every socket of a user; see [Room.Send]. A
// user who is not connected gets nothing, which is no error.
func (m *SocketManager) SendToUser(user, path string, data any, opts ...SendOption) error {
	return m.User(user).Send(path, data, opts...)
}

// SendToSocket sends an event to one socket, on whichever node it is; see
// [Socket.Send]. ErrNotConnected is returned if no socket of this node has this
// id and there are no others; with others, all of them are asked to deliver it,
// and nobody says whether one did.
func (m *SocketManager) SendToSocket(id, path string, data any, opts ...SendOption) error {
	s := m.Socket(id)
	switch {
	case s != nil:
		return s.Send(path, data, opts...)
	case !m.node.caps.Cluster:
		return ErrNotConnected
	}
	if err := checkEventPath(path); err != nil {
		return err
	}
	b, err := encode(protocol.Envelope{Path: path, Status: sendOptions(opts).status, Client: id}, data)
	switch {
	case err != nil:
		return err
	case len(b) > m.gate.config.QueueBytes:
		return ErrTooLarge
	}
	return m.node.broadcast(hub.Address{Kind: hub.Everyone}, &news{kind: newsSocket, except: id, body: b})
}

// Everyone is the address of all connected sockets.
func (m *SocketManager) Everyone() Room { return Room{m, hub.Address{Kind: hub.Everyone}} }

// User is the address of all sockets of one user.
func (m *SocketManager) User(id string) Room { return Room{m, hub.Address{Kind: hub.User, Name: id}} }

// Room is the address of the sockets that joined a room. A room exists as
// long as it has members; it needs no creating.
func (m *SocketManager) Room(name string) Room {
	return Room{m, hub.Address{Kind: hub.Room, Name: name}}
}

// Socket returns the connected socket with this id, or nil.
func (m *SocketManager) Socket(id string) *Socket {
	if member := m.hub.Member(id); member != nil {
		return socketOf(member)
	}
	return nil
}

// Sockets returns the sockets that are connected when it is called.
func (m *SocketManager) Sockets() iter.Seq[*Socket] { return m.Everyone().Sockets() }

// Users returns the users that are connected when it is called.
func (m *SocketManager) Users() iter.Seq[string] { return slices.Values(m.hub.Names(hub.User)) }

// Rooms returns the rooms that have members when it is called.
func (m *SocketManager) Rooms() iter.Seq[string] { return slices.Values(m.hub.Names(hub.Room)) }

// CountClients returns how many sockets are connected.
func (m *SocketManager) CountClients() int {
	sockets, _, _ := m.hub.Size()
	return sockets
}

// CountUsers returns how many users are connected, each counted once.
func (m *SocketManager) CountUsers() int {
	_, users, _ := m.hub.Size()
	return users
}

// Stats is what a manager counts. Gauges say how it is now, counters how
// often since the start.
type Stats struct {
	Sockets     int64 `json:"sockets"`      // connected now
	Users       int64 `json:"users"`        // connected now, each once
	Rooms       int64 `json:"rooms"`        // with members now
	Sessions    int64 `json:"sessions"`     // of clients that said hello, with a socket or dropped, now
	QueuedBytes int64 `json:"queued_bytes"` // waiting to be written now
	Received    int64 `json:"received"`     // messages, ever
	Sent        int64 `json:"sent"`         // messages handed to one socket, ever
	Slow        int64 `json:"slow"`         // sockets closed because their queue was full, ever
	Lagged      int64 `json:"lagged"`       // times that a room paused for a slow member, to catch it up later, ever
	Panics      int64 `json:"panics"`       // handlers that panicked, ever
}

// Stats returns the counts of now.
func (m *SocketManager) Stats() Stats {
	sockets, users, rooms := m.hub.Size()
	return Stats{
		Sockets:     int64(sockets),
		Users:       int64(users),
		Rooms:       int64(rooms),
		Sessions:    int64(m.sessions.count()),
		QueuedBytes: m.meter.Queued.Load() + m.hub.Pinned(),
		Received:    m.meter.Received.Load(),
		Sent:        m.hub.Delivered(),
		Slow:        m.meter.Slow.Load(),
		Lagged:      m.hub.Stats().Lagged,
		Panics:      m.panics.Load(),
	}
}

// Shutdown closes the manager: it is not ready any more (503 for newcomers),
// handlers that run finish, what was sent leaves, every client is closed, and
// every OnDisconnect has run when it returns nil. Many clients are sent away one
// after another over [SocketManagerOptions].DrainWindow, each told its own time
// by finch.drain and closed with 1012; the others are closed with 1001. When ctx
// ends first, the rest is cut off and ctx's error returned.
// [http.Server.Shutdown] does not see these connections: call this one before it.
func (m *SocketManager) Shutdown(ctx context.Context) error {
	defer m.end()
	const reason = "the server is shutting down"
	m.census.close()
	sockets := slices.Collect(m.Sockets())
	if window := m.drainWindow(ctx, len(sockets)); window > 0 {
		m.drainPaced(ctx, sockets, window, reason)
	}
	err := m.census.drain(ctx, m.conns, protocol.CloseGoingAway, reason)
	if err != nil {
		err = fmt.Errorf("finch: shutdown cut sockets off: %w", err)
	}
	if m.node.caps.Cluster {
		m.forgetSessions()
	} else {
		m.endSessions(CloseReason{Code: protocol.CloseGoingAway, Reason: reason})
	}
	if closed := m.node.close(ctx); closed != nil && err == nil {
		err = fmt.Errorf("finch: shutdown: the broker did not close: %w", closed)
	}
	return err
}

// conns answers the connections of the sockets that are here.
func (m *SocketManager) conns() (list []*conn.Conn) {
	for s := range m.Sockets() {
		list = append(list, s.conn)
	}
	return list
}

// guard runs a callback of the user's: a panic is counted, logged with its
// stack, and becomes an error.
func (m *SocketManager) guard(what string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			m.panics.Add(1)
			m.logger.Error("finch: a callback panicked", "callback", what, "panic", p, "stack", string(debug.Stack()))
			err = &panicError{p}
		}
	}()
	return f()
}

// panicError is a panic on its way to being an answer.
type panicError struct{ value any }

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
