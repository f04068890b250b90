package finch

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/hub"
	"github.com/finch-go/finch/protocol"
)

// SessionEvent follows clients across reconnects; nil functions do nothing.
// They run on goroutines of their own or on the socket's, and may block: that
// holds up only their own session. ctx is alive until Shutdown gives up.
type SessionEvent struct {
	// OnDrop: the socket of a session is gone and its client may come back
	// within the grace. Others still see it present. It runs after OnDisconnect,
	// and not for clients that said goodbye or never said hello.
	OnDrop func(ctx context.Context, ses *Session)
	// OnResume: a dropped session has a socket again, which has been back in its
	// rooms; its OnConnect ran before, like any socket's. It also runs when the
	// client came back before its old socket was noticed to be dead, and then
	// without an OnDrop.
	OnResume func(ctx context.Context, ses *Session, s *Socket)
	// OnLeave: the client will not come back: it said goodbye, was closed for
	// good, or its grace is over. It runs exactly once for every client whose
	// socket ran OnConnect, after that socket's OnDisconnect, except where the
	// process or its node ends first. A client that returns later still is caught
	// up in its rooms, but that is a new beginning for this function.
	OnLeave func(ctx context.Context, ses *Session, why CloseReason)
}

// Session is a client across reconnects. It begins when the client says hello
// and ends when it does not come back. Its methods may be called by any
// goroutine.
type Session struct {
	manager *SocketManager
	id      string // that of its first socket: public, and no proof of anything
	user    string

	mu      sync.Mutex // guards everything below; taken before a Socket's
	socket  *Socket    // nil while dropped
	granted []string   // while dropped: the rooms the server joined it to
	present []seat     // while dropped: the rooms that still show it
	grace   *time.Timer
	over    bool
}

// User returns who is behind the session; empty if nobody in particular.
func (ses *Session) User() string { return ses.user }

// Name returns the name under which others see the session, in presence and as
// the sender of messages: the user, or for nobody in particular an id that
// stays the same while the session lives. It proves nothing.
func (ses *Session) Name() string {
	if ses.user != "" {
		return ses.user
	}
	return ses.id
}

// Socket returns the socket that the session has now, or nil.
func (ses *Session) Socket() *Socket {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.socket
}

// sessions are those that live on this node, with a socket or dropped.
type sessions struct {
	mu   sync.Mutex
	byID map[string]*Session
}

func (l *sessions) get(id string) *Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.byID[id]
}

func (l *sessions) put(ses *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID == nil {
		l.byID = make(map[string]*Session)
	}
	l.byID[ses.id] = ses
}

func (l *sessions) drop(ses *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.byID[ses.id] == ses {
		delete(l.byID, ses.id)
	}
}

func (l *sessions) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.byID)
}

func (l *sessions) all() []*Session {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*Session, 0, len(l.byID))
	for _, ses := range l.byID {
		list = append(list, ses)
	}
	return list
}

// begin gives a socket a session of its own.
func (m *SocketManager) begin(s *Socket) *Session {
	ses := &Session{manager: m, id: s.ID(), user: s.User(), socket: s}
	return m.adopt(ses, s)
}

// adopt makes a session that is not here yet that of a socket.
func (m *SocketManager) adopt(ses *Session, s *Socket) *Session {
	m.sessions.put(ses)
	if !s.take(ses) {
		m.sessions.drop(ses) // the socket has ended meanwhile
	}
	return ses
}

// take makes a session the socket's; false if the socket has ended.
func (s *Socket) take(ses *Session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return false
	}
	s.extras().session = ses
	return true
}

// session answers the socket's session; nil if its client has not said hello.
func (s *Socket) session() *Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		return nil
	}
	return s.more.session
}

// saidHello tells whether the client understands what only finch clients do.
func (s *Socket) saidHello() bool { return s.session() != nil }

// Session returns the session of the socket, or nil if its client has not said
// hello (yet).
func (s *Socket) Session() *Session { return s.session() }

// resumption is what a client comes back to.
type resumption struct {
	session *Session
	held    bool // it had not left
	granted []string
}

// resume makes the session of a ticket that of a new socket. The old socket, if
// it still lives, is closed.
func (m *SocketManager) resume(ctx context.Context, s *Socket, t *ticket) resumption {
	if ses := m.sessions.get(t.session); ses != nil {
		if r, ok := ses.moveTo(s); ok {
			return r
		}
	}
	r := resumption{granted: t.rooms}
	if t.node != m.node.id {
		if granted, held, known := m.node.takeFrom(ctx, t.node, t.session); known {
			r.granted, r.held = granted, held
		}
	}
	r.session = m.adopt(&Session{manager: m, id: t.session, user: t.user, socket: s}, s)
	return r
}

// moveTo gives the session another socket, nil for one on another node; false
// if the session is over.
func (ses *Session) moveTo(s *Socket) (r resumption, ok bool) {
	ses.mu.Lock()
	if ses.over {
		ses.mu.Unlock()
		return r, false
	}
	old := ses.socket
	r = resumption{session: ses, held: true, granted: ses.granted}
	present := ses.present
	ses.granted, ses.present = nil, nil
	if ses.grace != nil {
		ses.grace.Stop()
		ses.grace = nil
	}
	ses.socket = s
	ses.over = s == nil
	ses.mu.Unlock()
	if s != nil && old == s {
		r.granted = s.grants()
		return r, true
	}
	if old != nil {
		r.granted = old.grants()
		present = append(present, ses.manager.presence.handOver(old)...)
		old.close(protocol.CloseReplaced, "another connection resumed this session")
	}
	switch {
	case s == nil:
		ses.manager.sessions.drop(ses)
		ses.manager.presence.goodbye(present)
	case s.take(ses):
		ses.manager.presence.keep(s, present)
	default: // the new socket has ended meanwhile, and did not know its session
		ses.lost(s, CloseReason{Code: protocol.CloseAbnormal}, present)
	}
	return r, true
}

// grants answers the rooms that the server joined the socket to.
func (s *Socket) grants() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.more == nil {
		return nil
	}
	return slices.Clone(s.more.granted)
}

// lost is called when a socket of the session has ended, after its last
// callback. present are the rooms whose presence shows the session.
func (ses *Session) lost(s *Socket, why CloseReason, present []seat) {
	ses.mu.Lock()
	if ses.socket != s || ses.over { // it has another one already
		ses.mu.Unlock()
		return
	}
	m := ses.manager
	ses.socket = nil
	ses.granted, ses.present = s.grants(), present
	final := protocol.ActionOf(why.Code) == protocol.ActionStop || m.grace <= 0
	if !final {
		ses.grace = time.AfterFunc(m.grace, func() { ses.leave(why) })
	}
	ses.mu.Unlock()
	if final {
		ses.leave(why)
		return
	}
	m.guardSession("OnDrop", m.sessionEvent.OnDrop != nil, func() { m.sessionEvent.OnDrop(m.alive, ses) })
}

// leave ends a session that has no socket.
func (ses *Session) leave(why CloseReason) {
	ses.mu.Lock()
	if ses.socket != nil || ses.over {
		ses.mu.Unlock()
		return
	}
	ses.over = true
	present := ses.present
	ses.granted, ses.present = nil, nil
	if ses.grace != nil {
		ses.grace.Stop()
		ses.grace = nil
	}
	ses.mu.Unlock()
	m := ses.manager
	m.sessions.drop(ses)
	m.presence.goodbye(present)
	m.guardSession("OnLeave", m.sessionEvent.OnLeave != nil, func() { m.sessionEvent.OnLeave(m.alive, ses, why) })
}

func (m *SocketManager) guardSession(what string, wanted bool, f func()) {
	if wanted {
		m.guard(what, func() error { f(); return nil })
	}
}

// parted is called when a socket has ended, after its OnDisconnect.
func (m *SocketManager) parted(s *Socket, why CloseReason) {
	present := m.presence.handOver(s)
	if ses := s.session(); ses != nil {
		ses.lost(s, why, present)
		return
	}
	ses := &Session{manager: m, id: s.ID(), user: s.User(), over: true}
	m.presence.goodbye(present)
	m.guardSession("OnLeave", m.sessionEvent.OnLeave != nil, func() { m.sessionEvent.OnLeave(m.alive, ses, why) })
}

// endSessions lets the sessions leave that wait for their clients.
func (m *SocketManager) endSessions(why CloseReason) {
	for _, ses := range m.sessions.all() {
		ses.leave(why)
	}
}

// clientID is the id of the socket's client: the session's, or its own if it has
// none. It stays the same when the client says hello and when it comes back.
func (s *Socket) clientID() string {
	if ses := s.session(); ses != nil {
		return ses.id
	}
	return s.ID()
}

// name is what others call the socket's client.
func (s *Socket) name() string {
	if user := s.User(); user != "" {
		return user
	}
	return s.clientID()
}

// memberCalled answers which member of this node a client is, or nil.
func (m *SocketManager) memberCalled(client string) *hub.Member {
	if client == "" {
		return nil
	}
	if ses := m.sessions.get(client); ses != nil {
		if s := ses.Socket(); s != nil {
			return s.member
		}
		return nil
	}
	return m.hub.Member(client)
}

// ticketNow makes a ticket for the socket's session as it is now; empty if it
// has none.
func (s *Socket) ticketNow() string {
	ses := s.session()
	if ses == nil {
		return ""
	}
	m := s.manager
	t := &ticket{session: ses.id, user: ses.user, node: m.node.id,
		expires: time.Now().Add(m.ticketAge), rooms: s.grants()}
	text, whole := m.sealer.seal(t)
	if !whole && m.undeclaredHint.take(time.Now()) {
		m.logger.Warn("finch: a session is in more rooms than its ticket can name; after a crash of this node its client does not come back into all", "socket", s.ID(), "rooms", len(t.rooms))
	}
	return text
}
