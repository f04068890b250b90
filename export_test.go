package finch

import (
	"encoding/base64"
	"sync/atomic"
	"time"

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
		people += r.people.len()
		r.mu.Unlock()
	}
	return m.sessions.count(), people
}

// IsDeclared tells whether a room of this name is declared.
func IsDeclared(m *SocketManager, room string) bool {
	return m.declarations.of(hub.Address{Kind: hub.Room, Name: room}) != nil
}

// MaxMembersOf answers what the declaration of a room says.
func MaxMembersOf(m *SocketManager, room string) int {
	return m.declarations.of(hub.Address{Kind: hub.Room, Name: room}).MaxMembers
}

// AppendRecord writes a record, RewriteRecord reads one and writes it again.
func AppendRecord(path string, status int, except, replace string, binary bool, data []byte) []byte {
	return (&record{path: path, status: status, except: except, replace: replace, binary: binary, data: data}).append(nil)
}

func RewriteRecord(b []byte) ([]byte, error) {
	r, err := parseRecord(b)
	if err != nil {
		return nil, err
	}
	return r.append(nil), nil
}

// RewriteNews reads what nodes send each other and writes it again.
func RewriteNews(b []byte) ([]byte, error) {
	n, err := parseNews(b)
	if err != nil {
		return nil, err
	}
	return n.append(nil), nil
}

var fuzzedSealer = newSealer([]byte("a secret of the tests"))

// SealTicket and OpenTicket are those of a manager with a certain secret.
func SealTicket(session, user string, rooms []string, expires time.Time) string {
	text, _ := fuzzedSealer.seal(&ticket{session: session, user: user, node: "n", expires: expires, rooms: rooms})
	return text
}

func OpenTicket(text string, now time.Time) (session, user string, err error) {
	t, err := fuzzedSealer.open(text, now)
	if err != nil {
		return "", "", err
	}
	return t.session, t.user, nil
}

// OpenTicketBody seals any bytes and opens them as a ticket.
func OpenTicketBody(b []byte) error {
	text := base64.RawURLEncoding.EncodeToString(fuzzedSealer.aead.Seal(nil, nil, b, []byte(ticketContext)))
	_, err := fuzzedSealer.open(text, time.Unix(0, 0))
	return err
}

// ComparePatterns answers how the names of each pattern relate to the other's;
// false if one is none.
func ComparePatterns(a, b string) (ab, ba string, ok bool) {
	p, err := parseRoomPattern(a)
	q, err2 := parseRoomPattern(b)
	if err != nil || err2 != nil {
		return "", "", false
	}
	names := []string{"disjoint", "narrower", "wider", "equal", "overlapping"}
	return names[p.compare(&q)], names[q.compare(&p)], true
}

// PatternMatches tells whether a name is of a pattern, which is one.
func PatternMatches(pattern, name string) bool {
	p, _ := parseRoomPattern(pattern)
	_, ok := p.match(name, "")
	return ok
}
