package finch

import (
	"sync/atomic"

	"github.com/finch-go/finch/internal/hub"
)

// CountCompressed counts from now on how often m compresses a message. Nothing
// may be sent meanwhile.
func CountCompressed(m *SocketManager) *atomic.Int64 {
	n := new(atomic.Int64)
	c := m.gate.compression
	c.renderer = func(r hub.Rendition, plain []byte) []byte {
		n.Add(1)
		return c.render(r, plain)
	}
	return n
}

// Leftovers counts the sessions of m and the people in its rooms' presence.
func Leftovers(m *SocketManager) (sessions, people int) {
	m.presence.mu.Lock()
	defer m.presence.mu.Unlock()
	for _, r := range m.presence.rosters {
		r.mu.Lock()
		people += len(r.people)
		r.mu.Unlock()
	}
	return m.sessions.count(), people
}
