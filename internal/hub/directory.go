package hub

import "slices"

// Add makes a member reachable at everyone and, if it has a user, at that
// user, both under policy [Close]. Its id must be new.
func (h *Hub) Add(m *Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	h.members[m.ID] = m
	h.enter(m, Address{Kind: Everyone}, Close)
	if m.User != "" {
		h.enter(m, Address{User, m.User}, Close)
	}
}

// Remove takes a member out of everything; false if it was out already. What
// it was still owed is forgotten.
func (h *Hub) Remove(m *Member) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return false
	}
	m.gone = true
	delete(h.members, m.ID)
	for _, s := range m.subs {
		h.exit(s)
	}
	m.subs = nil
	h.writeOff(m)
	return true
}

// writeOff forgets all that a member is owed. Called with m.mu held.
func (h *Hub) writeOff(m *Member) {
	freed := m.backlog.size() + m.arrearsBytes()
	m.backlog, m.arrears = nil, nil
	for _, s := range m.subs {
		s.log.mu.Lock()
		freed += s.log.takeOff(s)
		s.log.mu.Unlock()
	}
	h.pinned.Add(int64(-freed))
}

// Enter puts a member at an address: what is sent there reaches it from now on.
// Entering twice is entering once, and resumes nothing; the policy of the last
// call counts. ErrGone: it has been removed.
func (h *Hub) Enter(m *Member, at Address, p Policy) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return ErrGone
	}
	if s := m.sub(at); s != nil {
		s.log.mu.Lock()
		s.policy = p
		s.log.mu.Unlock()
		return nil
	}
	h.enter(m, at, p)
	return nil
}

// Exit takes a member away from an address; false if it was not there. What was
// sent there before still reaches it, in order, except what it lagged behind.
func (h *Hub) Exit(m *Member, at Address) bool {
	h.mu.Lock()
	m.mu.Lock()
	s := m.sub(at)
	if s == nil {
		m.mu.Unlock()
		h.mu.Unlock()
		return false
	}
	over := false
	if added := m.keep(s); added > 0 {
		h.pinned.Add(int64(added))
		h.prompt(m)
		// One that takes nothing could else hold what it likes by coming and going.
		over = m.waiting() > max(added, h.options.MemberBytes)
	}
	h.leave(s)
	m.mu.Unlock()
	h.mu.Unlock()
	if over {
		h.condemn(m)
	}
	return true
}

// Forget takes a member away from an address; false if it was not there. What
// was sent there before reaches it only if it was pushed already, even if it
// was there and left more than once.
func (h *Hub) Forget(m *Member, at Address) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	h.pinned.Add(int64(-m.waive(at, func(*overdue) bool { return true })))
	s := m.sub(at)
	if s == nil {
		return false
	}
	h.leave(s)
	return true
}

// In tells whether a member is at an address.
func (h *Hub) In(m *Member, at Address) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sub(at) != nil
}

// Breadth answers at how many addresses a member is, rooms among them.
func (h *Hub) Breadth(m *Member) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.subs)
}

// Rooms answers the rooms that a member is in.
func (h *Hub) Rooms(m *Member) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, s := range m.subs {
		if s.log.kind == Room {
			names = append(names, s.log.name)
		}
	}
	return names
}

// Addresses answers everything that a member is at.
func (h *Hub) Addresses(m *Member) []Address {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]Address, len(m.subs))
	for i, s := range m.subs {
		list[i] = s.log.at()
	}
	return list
}

// Member answers who has this id, or nil.
func (h *Hub) Member(id string) *Member {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.members[id]
}

// Members answers who is at an address now.
func (h *Hub) Members(at Address) []*Member {
	h.mu.RLock()
	defer h.mu.RUnlock()
	l := h.logs[at]
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*Member, len(l.subs))
	for i, s := range l.subs {
		list[i] = s.member
	}
	return list
}

// Count answers how many members are at an address.
func (h *Hub) Count(at Address) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	l := h.logs[at]
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.subs)
}

// Names answers the names of all addresses of a kind that have members.
func (h *Hub) Names(kind Kind) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var names []string
	for a := range h.logs {
		if a.Kind == kind {
			names = append(names, a.Name)
		}
	}
	return names
}

// Size answers how many members, users and rooms there are.
func (h *Hub) Size() (members, users, rooms int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.members), h.users, h.rooms
}

// enter, leave and exit keep the logs and their counts. Called with h.mu and
// the member's mu held.
func (h *Hub) enter(m *Member, at Address, p Policy) {
	l := h.logs[at]
	if l == nil {
		l = &log{kind: at.Kind, name: at.Name}
		h.logs[at] = l
		h.tally(at.Kind, 1)
	}
	s := &sub{member: m, log: l, policy: p}
	l.mu.Lock()
	l.enter(s)
	if m.condemned {
		l.takeOff(s)
	}
	l.mu.Unlock()
	m.subs = append(grown(m.subs), s)
}

func (h *Hub) leave(s *sub) {
	m := s.member
	i := slices.Index(m.subs, s)
	m.subs = shrunk(slices.Delete(m.subs, i, i+1))
	h.exit(s)
}

func (h *Hub) exit(s *sub) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	h.pinned.Add(int64(-l.exit(s)))
	if len(l.subs) > 0 {
		return
	}
	if t := l.traffic; t != nil { // a walk is under way or about to be
		h.pinned.Add(int64(-t.pinned))
		l.traffic = nil
		t.free()
	}
	delete(h.logs, l.at())
	h.tally(l.kind, -1)
}

func (h *Hub) tally(k Kind, n int) {
	switch k {
	case User:
		h.users += n
	case Room:
		h.rooms += n
	}
}
