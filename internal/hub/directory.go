package hub

import "slices"

// Add makes a member reachable at everyone and, if it has a user, at that
// user. Its id must be new.
func (h *Hub) Add(m *Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	h.members[m.ID] = m
	h.enter(m, Address{Kind: Everyone})
	if m.User != "" {
		h.enter(m, Address{User, m.User})
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
	h.pinned.Add(int64(-m.owed))
	m.subs, m.backlog, m.owed = nil, nil, 0
	return true
}

// Join adds a member to a room; joining twice is joining once.
func (h *Hub) Join(m *Member, room string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.gone {
		return ErrGone
	}
	if l := h.logs[Address{Room, room}]; l == nil || m.subOf(l) < 0 {
		h.enter(m, Address{Room, room})
	}
	return nil
}

// Leave takes a member out of a room; false if it was not in it. What was
// sent to the room before still reaches it.
func (h *Hub) Leave(m *Member, room string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	l := h.logs[Address{Room, room}]
	if l == nil {
		return false
	}
	i := m.subOf(l)
	if i < 0 {
		return false
	}
	s := m.subs[i]
	before := m.owed
	m.keep(s, h.seq.Load())
	h.pinned.Add(int64(m.owed - before))
	if len(m.backlog) > 0 && !m.queued && !m.blocked {
		m.queued = true
		h.ready(task{member: m})
	}
	m.subs = slices.Delete(m.subs, i, i+1)
	h.exit(s)
	return true
}

// keep moves what a log still owes its member into the backlog, where it
// stays in order. Called with m.mu held.
func (m *Member) keep(s *sub, limit uint64) {
	for more := true; more; {
		var batch []due
		batch, _, more = s.collect(nil, limit)
		for _, d := range batch {
			s.cursor.Store(d.next)
			if d.span.segment != nil {
				m.insert(direct{d.seq, d.span.bytes()})
			}
		}
	}
}

// insert puts a message into the backlog at its place.
func (m *Member) insert(d direct) {
	i, _ := slices.BinarySearchFunc(m.backlog, d.seq, func(e direct, seq uint64) int {
		if e.seq < seq {
			return -1
		}
		return 1
	})
	m.backlog = slices.Insert(m.backlog, i, d)
	m.owed += len(d.frame)
}

func (m *Member) subOf(l *log) int {
	return slices.IndexFunc(m.subs, func(s *sub) bool { return s.log == l })
}

// Rooms answers the rooms that a member is in.
func (h *Hub) Rooms(m *Member) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var names []string
	for _, s := range m.subs {
		if s.log.at.Kind == Room {
			names = append(names, s.log.at.Name)
		}
	}
	return names
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

// Names answers the users or the rooms that have members.
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

// enter and exit keep the logs and their counts. Called with h.mu and the
// member's mu held.
func (h *Hub) enter(m *Member, at Address) {
	l := h.logs[at]
	if l == nil {
		l = &log{at: at}
		h.logs[at] = l
		h.tally(at.Kind, 1)
	}
	s := &sub{member: m, log: l}
	l.mu.Lock()
	l.enter(s)
	l.mu.Unlock()
	m.subs = append(m.subs, s)
}

func (h *Hub) exit(s *sub) {
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	l.exit(s)
	if len(l.subs) > 0 {
		h.pinned.Add(int64(-l.trim()))
		return
	}
	h.pinned.Add(int64(-l.pinned))
	l.pinned, l.entries, l.plain, l.other = 0, nil, track{}, nil
	l.base, l.walked = l.head.Load(), l.head.Load()
	delete(h.logs, l.at)
	h.tally(l.at.Kind, -1)
}

func (h *Hub) tally(k Kind, n int) {
	switch k {
	case User:
		h.users += n
	case Room:
		h.rooms += n
	}
}
