package hub

import (
	"errors"
	"sync"
)

// ErrGone is returned for a member that has been removed.
var ErrGone = errors.New("the member has left")

// Hub is the directory of a node. Its methods may be called by any goroutine
// and do not block; no Sink may call back into it.
//
// Order: sends to one address reach all its members in one order, and
// whatever one goroutine sends reaches each member in the order of its calls.
type Hub struct {
	// mu guards everything. A send holds it for reading and its audience's
	// order besides, so that sends to different addresses go side by side.
	mu        sync.RWMutex
	members   map[string]*Member
	audiences map[Address]*audience
	order     [64]sync.Mutex // by address, see orderOf
	users     int
	rooms     int
}

// New returns an empty hub.
func New() *Hub {
	return &Hub{members: make(map[string]*Member), audiences: make(map[Address]*audience)}
}

// Add makes a member reachable at everyone and, if it has a user, at that
// user. Its id must be new.
func (h *Hub) Add(m *Member) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[m.ID] = m
	h.enter(m, Address{Kind: Everyone})
	if m.User != "" {
		h.enter(m, Address{User, m.User})
	}
}

// Remove takes a member out of everything; false if it was out already.
func (h *Hub) Remove(m *Member) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.gone {
		return false
	}
	m.gone = true
	delete(h.members, m.ID)
	h.exit(m, Address{Kind: Everyone})
	if m.User != "" {
		h.exit(m, Address{User, m.User})
	}
	for a := range m.rooms {
		h.exit(m, a.address)
	}
	m.rooms = nil
	return true
}

// Join adds a member to a room; joining twice is joining once.
func (h *Hub) Join(m *Member, room string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m.gone {
		return ErrGone
	}
	a := h.enter(m, Address{Room, room})
	if m.rooms == nil {
		m.rooms = make(map[*audience]struct{}, 1)
	}
	m.rooms[a] = struct{}{}
	return nil
}

// Leave takes a member out of a room; false if it was not in it.
func (h *Hub) Leave(m *Member, room string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.audiences[Address{Room, room}]
	if a == nil {
		return false
	}
	delete(m.rooms, a)
	return h.exit(m, a.address)
}

// Rooms answers the rooms that a member is in.
func (h *Hub) Rooms(m *Member) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	names := make([]string, 0, len(m.rooms))
	for a := range m.rooms {
		names = append(names, a.address.Name)
	}
	return names
}

// Send hands frame to every member at the address but one, and answers how
// many took it.
func (h *Hub) Send(to Address, frame []byte, except *Member) (taken int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	a := h.audiences[to]
	if a == nil {
		return 0
	}
	order := h.orderOf(to)
	order.Lock()
	defer order.Unlock()
	for _, m := range a.members {
		if m != except && m.Sink.Send(frame) == nil {
			taken++
		}
	}
	return taken
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
	a := h.audiences[at]
	if a == nil {
		return nil
	}
	return append([]*Member(nil), a.members...)
}

// Count answers how many members are at an address.
func (h *Hub) Count(at Address) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if a := h.audiences[at]; a != nil {
		return len(a.members)
	}
	return 0
}

// Names answers the users or the rooms that have members.
func (h *Hub) Names(kind Kind) []string {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var names []string
	for a := range h.audiences {
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

// enter and exit keep the audiences and their counts. Called with mu held.
func (h *Hub) enter(m *Member, at Address) *audience {
	a := h.audiences[at]
	if a == nil {
		a = &audience{address: at, place: make(map[*Member]int)}
		h.audiences[at] = a
		h.tally(at.Kind, 1)
	}
	a.add(m)
	return a
}

func (h *Hub) exit(m *Member, at Address) bool {
	a := h.audiences[at]
	if a == nil || !a.remove(m) {
		return false
	}
	if len(a.members) == 0 {
		delete(h.audiences, at)
		h.tally(at.Kind, -1)
	}
	return true
}

func (h *Hub) tally(k Kind, n int) {
	switch k {
	case User:
		h.users += n
	case Room:
		h.rooms += n
	}
}

// orderOf answers the lock that keeps the sends to an address in one order.
// Addresses share the locks: all that is wanted is that one address has one.
func (h *Hub) orderOf(a Address) *sync.Mutex {
	sum := uint32(2166136261) + uint32(a.Kind) // FNV-1a
	for i := 0; i < len(a.Name); i++ {
		sum = (sum ^ uint32(a.Name[i])) * 16777619
	}
	return &h.order[sum%uint32(len(h.order))]
}
