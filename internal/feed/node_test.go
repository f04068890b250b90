package feed_test

import (
	"context"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/internal/feed"
)

// A node is a process: a faulty connection to the store, and a seat per room.
type node struct {
	broker.Sink
	w      *world
	name   string
	stale  *replica
	faulty *brokertest.FaultyBroker
	faults brokertest.Faults
	b      broker.Broker
	seats  map[string]*seat
	tasks  []*task

	off      bool // cut off
	cuts     int  // beginnings and ends
	checking bool
	marks    [2]broker.Mark // of the last check but one, and of the last
}

func (n *node) State(broker.State, error) {}
func (n *node) NodeUp(broker.NodeState)   {}

// troubles counts how often the broker would not answer.
func (n *node) troubles() int { return n.cuts + n.faulty.Counts().Refused }

// cut ends the connection, or makes it good again.
func (n *node) cut(off bool) {
	n.off = off
	n.cuts++
	if off {
		n.faulty.Cut()
	} else {
		n.faulty.Mend()
	}
}

// drop makes the node miss so much of what is delivered.
func (n *node) drop(chance float64) {
	n.faults.Drop = chance
	n.faulty.SetFaults(n.faults)
}

func (n *node) Deliver(m broker.Message) {
	if s := n.seats[m.Room]; s != nil {
		n.w.note("%s is delivered %s %v after %d", n.name, m.Room, m.Position, m.Prev)
		s.feed.Deliver(n.w.clock, m)
		s.collect()
	}
}

func (n *node) Uncertain(scope broker.Scope, why error) {
	for _, room := range n.w.rooms() {
		if s := n.seats[room]; s != nil && (scope.All() || slices.Contains(scope.Rooms, room)) {
			n.w.note("%s %s is uncertain: %v", n.name, room, why)
			s.feed.Uncertain(n.w.clock)
			s.collect()
		}
	}
}

// A seat is a room on a node. It is the Room of the feed.
type seat struct {
	node    *node
	room    string
	feed    *feed.Feed[*client]
	members []*client // attached
}

func (n *node) seat(room string) *seat {
	s := n.seats[room]
	if s == nil {
		s = &seat{node: n, room: room}
		s.feed = feed.New(s, &n.w.limits, n.w.clock)
		n.seats[room] = s
		s.collect()
	}
	return s
}

// A task is a request on its way: asked when it is due, answered some time later.
type task struct {
	seat   *seat
	due    time.Time
	ask    func() (apply func())
	answer func()
}

func (s *seat) collect() {
	n, w := s.node, s.node.w
	for _, r := range s.feed.Requests() {
		n.tasks = append(n.tasks, &task{seat: s, due: w.clock.Add(r.After), ask: func() func() { return s.do(r) }})
	}
}

// do asks the broker, and returns what brings the answer to the feed.
func (s *seat) do(r feed.Request) func() {
	n, w, ctx := s.node, s.node.w, context.Background()
	switch r.Kind {
	case feed.AskOpen:
		heads, err := n.b.Open(ctx, []string{s.room})
		heads = append(heads, broker.Head{})
		w.note("%s opens %s: %v %v", n.name, s.room, heads[0].Position, err)
		return func() { s.feed.Opened(r.Serial, w.clock, heads[0], err) }
	case feed.AskHead:
		heads, _, err := n.b.Heads(ctx, []string{s.room}, "")
		heads = append(heads, broker.Head{})
		w.note("%s asks the head of %s: %v %v", n.name, s.room, heads[0].Position, err)
		return func() { s.feed.Headed(r.Serial, w.clock, heads[0], err) }
	default:
		page, err := n.b.Read(ctx, s.room, r.Range)
		w.note("%s reads %s from %v: %d to head %v, %v", n.name, s.room, r.Range.From, len(page.Messages), page.Head, err)
		return func() { s.feed.Page(r.Serial, w.clock, page, err) }
	}
}

// check is the node's periodic check of all rooms, one at a time.
func (n *node) check() {
	w := n.w
	if n.checking {
		return
	}
	n.checking = true
	var rooms []string
	stood := map[string]broker.Position{}
	for _, room := range w.rooms() {
		if s := n.seats[room]; s != nil {
			s.feed.Rest(w.clock)
			rooms = append(rooms, room)
			stood[room] = s.feed.Top()
		}
	}
	n.tasks = append(n.tasks, &task{due: w.clock, ask: func() func() {
		asked := w.clock
		changed, next, err := n.b.Heads(context.Background(), rooms, n.marks[0])
		w.note("%s checks %v: %v %v", n.name, rooms, changed, err)
		return func() {
			n.checking = false
			if err != nil {
				return
			}
			n.marks[0], n.marks[1] = n.marks[1], next
			for _, room := range rooms {
				s := n.seats[room]
				if s == nil {
					continue // closed meanwhile
				}
				if i := slices.IndexFunc(changed, func(h broker.Head) bool { return h.Room == room }); i >= 0 {
					s.feed.Checked(w.clock, asked, stood[room], changed[i])
				} else {
					s.feed.Unchanged(asked)
				}
				s.collect()
			}
		}
	}})
}

// work does one thing that is due, if there is one: asks, or brings an answer.
func (n *node) work() bool {
	var due []int
	for i, t := range n.tasks {
		if !t.due.After(n.w.clock) {
			due = append(due, i)
		}
	}
	if len(due) == 0 {
		return false
	}
	i := due[n.w.random.IntN(len(due))]
	t := n.tasks[i]
	if t.answer == nil {
		t.answer = t.ask()
		return true
	}
	n.tasks = slices.Delete(n.tasks, i, i+1)
	t.answer()
	if t.seat != nil {
		t.seat.collect()
	}
	return true
}
