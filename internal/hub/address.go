package hub

// Address is what can be sent to: one mechanism, four kinds. Only a name of
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
	// Watch is where those are who watch the presence of the room of this
	// name; it is counted as no room.
	Watch
)
