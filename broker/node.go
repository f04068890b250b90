package broker

// A Node is what a process says of itself when it starts its broker.
type Node struct {
	// ID names the node among the others, 1 to 64 letters, digits, - and _. Two
	// live nodes must not share one.
	ID string
	// Profiles are the histories that its rooms keep. All nodes of a cluster are
	// given the same ones; where they differ, the profile of the node that
	// published last counts.
	Profiles []Profile
}

// A NodeState is a live node, or one that has just gone.
type NodeState struct {
	ID string
	// Incarnation is new each time a node starts: it tells the shares and the
	// news of a node's two lives apart.
	Incarnation string
}

// A Share is how many members of a room one node has.
type Share struct {
	Node    NodeState
	Members int
}

// A TargetKind says what a Target's name names.
type TargetKind uint8

const (
	// ToEveryone is every node; the name is empty.
	ToEveryone TargetKind = iota
	// ToRoom is the nodes that have the room of this name open.
	ToRoom
	// ToNode is the node of this id.
	ToNode
)

// A Target says where Send carries something. The zero Target is every node.
// Users are rooms to a broker (see the package's words).
type Target struct {
	Kind TargetKind
	Name string
}

// A Refusal is the error of a Broker's Ask whose question arrived and was
// refused: the text of the error that the other node's Sink.Answer returned.
type Refusal struct{ Text string }

func (r *Refusal) Error() string { return r.Text }
