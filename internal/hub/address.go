package hub

// Address is what can be sent to: one mechanism, three kinds. Only a name of
// kind Room may ever come from a client.
type Address struct {
	Kind Kind
	Name string // empty for Everyone
}

// Kind is the kind of an address.
type Kind uint8

const (
	Everyone Kind = iota
	User
	Room
)

// audience is an address that has members. Guarded by Hub.mu.
type audience struct {
	address Address
	members []*Member // in no order
	// place is where each member stands in members.
	place map[*Member]int
}

func (a *audience) add(m *Member) bool {
	if _, here := a.place[m]; here {
		return false
	}
	a.place[m] = len(a.members)
	a.members = append(a.members, m)
	return true
}

func (a *audience) remove(m *Member) bool {
	i, here := a.place[m]
	if !here {
		return false
	}
	last := len(a.members) - 1
	moved := a.members[last]
	a.members[i], a.place[moved] = moved, i
	a.members[last] = nil
	a.members = a.members[:last]
	delete(a.place, m)
	return true
}
