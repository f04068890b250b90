package hub

import "github.com/finch-go/finch/broker"

// Policy says what becomes of a member that is so far behind at an address that
// it would have to keep more than Options.LogBytes for it.
type Policy uint8

const (
	// Close: the member must go, see Sink.Overflow.
	Close Policy = iota
	// Resync: the member gets nothing of the address until whoever was told so,
	// see Sink.Lagged, has caught it up and calls [Hub.Resume]. It stays at the
	// address meanwhile.
	Resync
	// Latest: of what the member is owed only the newest message of each
	// Message.Key is kept, and those without a key. If even that is more than
	// Options.MemberBytes it must go.
	Latest
)

// relieve brings a log back below its bounds, as far as that is up to members
// that are late.
func (h *Hub) relieve(l *log) {
	var c compactions
	for first := true; ; first = false {
		l.mu.Lock()
		t := l.traffic
		if t == nil || t.pinned <= h.options.LogBytes && !(first && h.pinned.Load() > h.options.NodeBytes) {
			l.mu.Unlock()
			return
		}
		oldest := t.base
		var subs []*sub
		for s := t.entries[0].late; s != nil; s = s.next {
			subs = append(subs, s)
		}
		l.mu.Unlock()
		for _, s := range subs {
			h.decide(s, oldest, &c)
		}
		l.mu.Lock()
		stuck := l.traffic != nil && l.traffic.base == oldest // the pump's turn, or another sender's
		l.mu.Unlock()
		if stuck {
			return
		}
	}
}

// decide does what the policy of a sub says that is late at the oldest entry.
func (h *Hub) decide(s *sub, oldest uint64, c *compactions) {
	m, l := s.member, s.log
	m.mu.Lock()
	l.mu.Lock()
	if s.state != late || s.cursor.Load() != oldest {
		l.mu.Unlock()
		m.mu.Unlock()
		return
	}
	switch s.policy {
	case Resync:
		from := l.stand(s)
		h.pinned.Add(int64(-l.takeOff(s)))
		l.mu.Unlock()
		m.mu.Unlock()
		h.lagged.Add(1)
		m.Sink.Lagged(l.at(), from)
	case Latest:
		newest := c.of(s)
		freed := l.advance(s, l.head.Load())
		l.mu.Unlock()
		freed += m.waive(l.at(), func(o *overdue) bool { return o.key != "" && newest.keys[o.key] })
		h.pinned.Add(int64(m.owe(newest.list) - freed))
		h.compacted.Add(1)
		h.prompt(m)
		over := m.waiting() > h.options.MemberBytes
		m.mu.Unlock()
		if over {
			h.condemn(m)
		}
	default:
		l.mu.Unlock()
		m.mu.Unlock()
		h.condemn(m)
	}
}

// stand answers where a sub stands among the recorded entries. Called with mu
// held.
func (l *log) stand(s *sub) broker.Position {
	t := l.traffic
	for i := s.cursor.Load() - t.base; i < uint64(len(t.entries)); i++ {
		if step := t.entries[i].step; step != nil {
			return step.Before
		}
	}
	if l.last == nil {
		return broker.Position{}
	}
	return *l.last
}

// Resume lets a member have what is sent to an address from now on, after
// Sink.Lagged; false if it has left or must go. One that did not lag goes on.
func (h *Hub) Resume(m *Member, at Address) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sub(at)
	if s == nil || m.condemned {
		return false
	}
	if s.state == off {
		l := s.log
		l.mu.Lock()
		s.cursor.Store(l.head.Load())
		l.takeBack(s)
		l.mu.Unlock()
	}
	return true
}
