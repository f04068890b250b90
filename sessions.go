package finch

import (
	"sync"

	"github.com/finch-go/finch/internal/hub"
)

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

// put adds a session; it answers the one that has the id already, else nil.
func (l *sessions) put(ses *Session) (already *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if already = l.byID[ses.id]; already != nil {
		return already
	}
	if l.byID == nil {
		l.byID = make(map[string]*Session)
	}
	l.byID[ses.id] = ses
	return nil
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

// endSessions lets the sessions leave that wait for their clients.
func (m *SocketManager) endSessions(why CloseReason) {
	for _, ses := range m.sessions.all() {
		ses.leave(why, nil)
	}
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
