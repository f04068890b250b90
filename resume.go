package finch

import (
	"context"

	"github.com/finch-go/finch/protocol"
)

// resumption is what a client comes back to. It has no session if the socket
// has ended meanwhile, or a later one of the client has the session.
type resumption struct {
	session *Session
	held    bool // it had not left
	granted []string
}

// resume makes the session of a ticket that of a new socket. The old socket, if
// it still lives, is closed.
//
// A hello may wait on a node that stands still, while its client gives up and
// resumes elsewhere: it comes too late then, and takes nothing from anybody.
func (m *SocketManager) resume(ctx context.Context, s *Socket, t *ticket, attempt uint64) resumption {
	c := t.claims(attempt)
	if ses := m.sessions.get(c.session); ses != nil {
		if r, ok := ses.moveTo(s, c, nil); ok {
			return r
		}
	}
	r := resumption{granted: t.rooms}
	if t.node != m.node.id {
		switch granted, answer := m.node.takeFrom(ctx, c); answer {
		case sessionGiven:
			r.granted, r.held = granted, true
		case sessionKept:
			s.superseded()
			return resumption{}
		}
	}
	return m.adopt(s, c, t.user, r)
}

// adopt makes a session that is not here yet that of a socket. If it has come
// here meanwhile, with another socket of the client, it is moved.
func (m *SocketManager) adopt(s *Socket, c claim, user string, r resumption) resumption {
	ses := &Session{manager: m, id: c.session, user: user, turn: c.turn}
	ses.mu.Lock() // whoever finds it waits until the socket has it
	for {
		already := m.sessions.put(ses)
		if already == nil {
			break
		}
		if moved, ok := already.moveTo(s, c, &r); ok {
			ses.mu.Unlock()
			return moved
		}
		m.sessions.drop(already)
	}
	switch {
	case s.take(ses):
		ses.socket = s
		for _, room := range r.granted {
			s.grant(room)
		}
		r.session = ses
		ses.mu.Unlock()
	case r.held: // the socket has ended; the node that had the session gave it away
		ses.away = &absence{granted: r.granted}
		ses.await(CloseReason{Code: protocol.CloseAbnormal})
		ses.mu.Unlock()
		r = resumption{}
	default:
		ses.over = true
		ses.mu.Unlock()
		m.sessions.drop(ses)
		r = resumption{}
	}
	return r
}

// superseded closes a socket that came too late for its session.
func (s *Socket) superseded() {
	s.close(protocol.CloseReplaced, "a later connection has this session")
}

// moveTo gives the session another socket, with the rooms that the server had
// joined the old one to. If it is outdated, these are those that are known from
// elsewhere, and false is answered as long as nobody has asked there, as for a
// session that is over. All of it is one step: a client in a hurry may take the
// session to the next socket already.
func (ses *Session) moveTo(s *Socket, c claim, elsewhere *resumption) (r resumption, ok bool) {
	m := ses.manager
	ses.mu.Lock()
	outdated := ses.outdated(c)
	switch {
	case ses.over || outdated && elsewhere == nil:
		ses.mu.Unlock()
		return r, false
	case c.turn.before(ses.turn):
		ses.mu.Unlock()
		s.superseded()
		return r, true
	case !s.take(ses): // the new socket has ended meanwhile: nothing has changed
		ses.mu.Unlock()
		return r, true
	}
	old, granted, present := ses.strip()
	if outdated {
		granted = elsewhere.granted
	}
	ses.socket, ses.turn = s, c.turn
	for _, room := range granted {
		s.grant(room)
	}
	m.presence.keep(s, present)
	ses.mu.Unlock()
	if old != nil {
		old.close(protocol.CloseReplaced, "another connection resumed this session")
	}
	return resumption{session: ses, held: true, granted: granted}, true
}

// surrender ends the session on this node, because its client has come to
// another.
func (ses *Session) surrender(c claim) (granted []string, answer sessionAnswer) {
	m := ses.manager
	ses.mu.Lock()
	switch {
	case ses.over || ses.outdated(c):
		ses.mu.Unlock()
		return nil, sessionUnknown
	case c.turn.before(ses.turn):
		ses.mu.Unlock()
		return nil, sessionKept
	}
	old, granted, present := ses.strip()
	ses.over = true
	ses.mu.Unlock()
	m.sessions.drop(ses)
	m.presence.goodbye(present)
	if old != nil {
		old.close(protocol.CloseReplaced, "another connection resumed this session")
	}
	return granted, sessionGiven
}
