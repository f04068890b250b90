package finch

import (
	"crypto/rand"
	"encoding/base64"
	"maps"
	"net/http"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// UpgradeOption is an option of [SocketManager.Upgrade].
type UpgradeOption struct{ identity *Identity }

// WithIdentity says who the client is: the router's own middleware has found
// out. Authenticate is not called.
func WithIdentity(id Identity) UpgradeOption { return UpgradeOption{identity: &id} }

type upgradeOptions struct{ identity *Identity }

// ServeHTTP makes a WebSocket connection of the request, or answers why not.
func (m *SocketManager) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.Upgrade(w, r) }

// RequestHandle is Upgrade for a [Controller]: follow it with
// [Request.RenderSocket].
func (m *SocketManager) RequestHandle(rq *Request, opts ...UpgradeOption) error {
	rq.answered = true
	return m.Upgrade(rq.Writer, rq.Request, opts...)
}

// Upgrade makes a WebSocket connection of the request. It returns as soon as
// the connection is taken over; callbacks run on goroutines of their own.
// When it returns an error, the response has been written already: an [Error]
// with the status of the refusal.
func (m *SocketManager) Upgrade(w http.ResponseWriter, r *http.Request, opts ...UpgradeOption) error {
	var o upgradeOptions
	for _, opt := range opts {
		if opt.identity != nil {
			o.identity = opt.identity
		}
	}
	if m.census.isClosing() {
		return m.refuse(w, shuttingDown)
	}
	if e := m.gate.check(r); e != nil {
		return m.refuse(w, e)
	}
	defer m.underway.Add(-1)
	if m.underway.Add(1) > int64(m.limits.handshakes()) {
		return m.refuse(w, &Error{http.StatusServiceUnavailable, "busy", "Too many clients are connecting at once; try again."})
	}
	id, err := m.identify(r, o)
	if err == nil && !id.ExpiresAt.IsZero() && !id.ExpiresAt.After(time.Now()) {
		err = &Error{http.StatusUnauthorized, "expired", "The token has expired."}
	}
	if err != nil {
		return m.refuseIdentity(w, r, err)
	}
	hs := newHandshake(r, m.gate.keep, m.gate.trusted)
	if !m.addresses.enter(hs, r, m.gate.trusted, m.limits.SocketsPerAddress) {
		return m.refuse(w, &Error{http.StatusTooManyRequests, "too_many_sockets", "Your address has too many connections already."})
	}
	if !m.census.enter() {
		m.addresses.exit(hs)
		return m.refuse(w, shuttingDown)
	}
	extensions, rendition := m.gate.compression.agree(r)
	h, err := hijack(w, r, subprotocol(r), extensions)
	if err != nil {
		m.census.exit()
		m.addresses.exit(hs)
		m.logger.Error("finch: upgrade failed", "error", err)
		return m.refuse(w, &Error{http.StatusInternalServerError, "no_hijack", "The server cannot upgrade this connection; its log says why."})
	}
	m.welcome(h, rendition, hs, id)
	return nil
}

func (m *SocketManager) refuse(w http.ResponseWriter, e *Error) error {
	refuse(w, e)
	return e
}

// refuseIdentity answers a failed authentication.
func (m *SocketManager) refuseIdentity(w http.ResponseWriter, r *http.Request, err error) error {
	e, meant := forClient(err)
	if !meant {
		m.logger.Error("finch: Authenticate failed", "error", err)
	}
	if code := closeFor(e); offersFinch(r) && (code == protocol.CloseUnauthorized || code == protocol.CloseForbidden) {
		if h, err := hijack(w, r, subprotocol(r), ""); err == nil {
			c := m.gate.connect(h, 0, bystander{})
			c.Start(nil)
			c.Close(code, e.Message)
			return e
		}
	}
	return m.refuse(w, e)
}

// bystander owns a connection that is closed as soon as it is open.
type bystander struct{}

func (bystander) Opened()                         {}
func (bystander) Early(frame.Opcode, []byte) bool { return true }
func (bystander) Received(frame.Opcode, []byte)   {}
func (bystander) Ending(conn.Close, bool)         {}
func (bystander) Writable()                       {}
func (bystander) Deaf(error)                      {}
func (bystander) Closing()                        {}
func (bystander) Closed(conn.Close)               {}

// welcome makes a socket of a hijacked connection.
func (m *SocketManager) welcome(h hijacked, r hub.Rendition, hs *Handshake, id Identity) {
	m.arrivals.note(time.Now())
	s := &Socket{manager: m, handshake: hs}
	if len(id.Values) > 0 {
		s.more = &socketExtras{values: maps.Clone(id.Values)}
	}
	s.member = &hub.Member{ID: newSocketID(), User: id.User, Sink: (*socketSink)(s), Rendition: r}
	s.conn = m.gate.connect(h, r, (*socketEvents)(s))
	m.hub.Add(s.member)
	s.expireAt(id.ExpiresAt)
	s.settleIn()
	s.noteShares(nil)
	s.conn.Start(h.early)
	if m.census.isClosing() { // and may have looked before the socket was there
		s.conn.Drain(protocol.CloseGoingAway, "the server is shutting down")
	}
}

// newSocketID makes an id that nobody can guess the next of: 96 random bits.
func newSocketID() string {
	var b [12]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}
