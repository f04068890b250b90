package finch

import (
	"context"
	"slices"
	"sync"
	"time"

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

	events sync.Mutex // held while a callback runs, so that they keep their order; taken before mu

	mu     sync.Mutex // guards everything below; taken before a Socket's
	socket *Socket    // nil while dropped
	away   *absence   // while dropped
	over   bool
	turn   turn // of the connection that has it
}

// An absence is the time in which a session is dropped. Guarded by Session.mu.
type absence struct {
	granted []string    // the rooms the server joined it to
	present []seat      // the rooms that still show it
	grace   *time.Timer // nil: it is about to end
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

// begin gives a socket a session of its own.
func (m *SocketManager) begin(s *Socket) *Session {
	ses := &Session{manager: m, id: s.ID(), user: s.User(), socket: s}
	m.sessions.put(ses)
	if !s.take(ses) {
		m.sessions.drop(ses) // the socket has ended meanwhile
	}
	return ses
}

// await begins the grace of a session that has no socket. Called with mu held.
func (ses *Session) await(why CloseReason) {
	away := ses.away
	away.grace = time.AfterFunc(ses.manager.grace, func() { ses.leave(why, away) })
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

// revoke takes a session that has no socket out of a room.
func (ses *Session) revoke(room string) {
	ses.mu.Lock()
	var gone []seat
	if away := ses.away; away != nil {
		if i := slices.Index(away.granted, room); i >= 0 {
			away.granted = slices.Delete(away.granted, i, i+1)
		}
		if i := slices.IndexFunc(away.present, func(at seat) bool { return at.isIn(room) }); i >= 0 {
			gone = append(gone, away.present[i])
			away.present = slices.Delete(away.present, i, i+1)
		}
	}
	ses.mu.Unlock()
	ses.manager.presence.goodbye(gone)
}

// strip takes from the session what its next socket gets: its old socket, if
// there is one, and what it kept or that socket has. Called with mu held.
func (ses *Session) strip() (old *Socket, granted []string, present []seat) {
	if old = ses.socket; old != nil {
		ses.socket = nil
		return old, old.grants(), ses.manager.presence.handOver(old)
	}
	away := ses.away
	if away == nil {
		return nil, nil, nil
	}
	if away.grace != nil {
		away.grace.Stop()
	}
	ses.away = nil
	return nil, away.granted, away.present
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
// callback.
func (ses *Session) lost(s *Socket, why CloseReason) {
	m := ses.manager
	ses.events.Lock() // whoever resumes from now on says so after this
	defer ses.events.Unlock()
	ses.mu.Lock()
	present := m.presence.handOver(s)
	if ses.socket != s || ses.over { // it has another one already
		ses.mu.Unlock()
		m.presence.goodbye(present)
		return
	}
	ses.socket, ses.away = nil, &absence{granted: s.grants(), present: present}
	final := protocol.ActionOf(why.Code) == protocol.ActionStop || m.grace <= 0
	if !final {
		ses.await(why)
	}
	ses.mu.Unlock()
	if final {
		ses.end(why, nil)
		return
	}
	m.guardSession("OnDrop", m.sessionEvent.OnDrop != nil, func() { m.sessionEvent.OnDrop(m.alive, ses) })
}

// resumed is called when a socket that resumed the session is back in its rooms.
func (ses *Session) resumed(ctx context.Context, s *Socket) {
	ses.events.Lock()
	defer ses.events.Unlock()
	if ses.Socket() != s {
		return // the next one says it
	}
	m := ses.manager
	m.guardSession("OnResume", m.sessionEvent.OnResume != nil, func() { m.sessionEvent.OnResume(ctx, ses, s) })
}

// leave ends a session that has no socket: at the end of an absence, which may have
// ended otherwise meanwhile, or (nil) whichever it is.
func (ses *Session) leave(why CloseReason, away *absence) {
	ses.events.Lock()
	defer ses.events.Unlock()
	ses.end(why, away)
}

// end is leave with events held.
func (ses *Session) end(why CloseReason, away *absence) {
	m := ses.manager
	ses.mu.Lock()
	if ses.socket != nil || ses.over || away != nil && away != ses.away {
		ses.mu.Unlock()
		return
	}
	_, _, present := ses.strip()
	ses.over = true
	ses.mu.Unlock()
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
	if ses := s.session(); ses != nil {
		ses.lost(s, why)
		return
	}
	ses := &Session{manager: m, id: s.ID(), user: s.User(), over: true}
	m.presence.goodbye(m.presence.handOver(s))
	m.guardSession("OnLeave", m.sessionEvent.OnLeave != nil, func() { m.sessionEvent.OnLeave(m.alive, ses, why) })
}

// forgetSessions lets go of those, and says nothing: their clients may be back on
// another node already.
func (m *SocketManager) forgetSessions() {
	for _, ses := range m.sessions.all() {
		ses.mu.Lock()
		if ses.socket == nil {
			ses.strip()
			ses.over = true
			m.sessions.drop(ses)
		}
		ses.mu.Unlock()
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

// ticketNow makes a ticket for the socket's session as it is now; empty if it
// has none.
func (s *Socket) ticketNow() string {
	ses := s.session()
	if ses == nil {
		return ""
	}
	m := s.manager
	t := &ticket{session: ses.id, user: ses.user, node: m.node.id, turn: ses.lastTurn(),
		expires: time.Now().Add(m.ticketAge), rooms: s.grants()}
	text, whole := m.sealer.seal(t)
	if !whole && m.undeclaredHint.take(time.Now()) {
		m.logger.Warn("finch: a session is in more rooms than its ticket can name; after a crash of this node its client does not come back into all", "socket", s.ID(), "rooms", len(t.rooms))
	}
	return text
}

// lastTurn answers the turn of the connection that has the session, or had it.
func (ses *Session) lastTurn() turn {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.turn
}
