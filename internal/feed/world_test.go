package feed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

// A world is a store, nodes with feeds, and clients, all moved by one goroutine:
// nothing happens between two steps, so a seed repeats a run.
type world struct {
	t       testing.TB
	seed    uint64
	random  *rand.Rand
	clock   time.Time
	cluster *memory.Cluster
	sparse  bool
	limits  feed.Limits
	nodes   []*node
	clients []*client
	witness *witness
	trace   []entry
	strict  bool // a restart that nothing justifies is a fault
	lost    bool // the store has lost messages
}

type setting struct {
	seed   uint64
	nodes  int
	sparse bool // offsets skip, and the broker knows nothing of what came before
	limits feed.Limits
	faults brokertest.Faults
	// toldHeads and staleEpochs are the chances of a replica.
	toldHeads, staleEpochs float64
}

// profiles of the world's rooms: the name of a room begins with its profile's.
var profiles = []broker.Profile{
	{Name: "long", Size: 1000},
	{Name: "short", Size: 6},
	{Name: "aged", Size: 50, Age: time.Minute},
}

func newWorld(t testing.TB, s setting) *world {
	w := &world{
		t: t, seed: s.seed, sparse: s.sparse,
		random: rand.New(rand.NewPCG(s.seed, 1)),
		clock:  time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		limits: s.limits.WithDefaults(),
		strict: true,
	}
	bits := rand.New(rand.NewPCG(s.seed, 2))
	w.cluster = memory.NewCluster(&memory.Options{Now: func() time.Time { return w.clock }, Random: bits.Uint64})
	w.witness = &witness{w: w, before: map[broker.Position]broker.Position{}, last: map[string]broker.Position{}}
	w.witness.b = w.start("witness", w.cluster.Node(), w.witness)
	for i := range max(s.nodes, 1) {
		n := &node{w: w, name: fmt.Sprint("node", i), faults: s.faults, seats: map[string]*seat{}}
		n.stale = newReplica(w.cluster.Node(), rand.New(rand.NewPCG(s.seed, 4+uint64(i))), 2)
		n.stale.set(s.toldHeads, s.staleEpochs)
		n.stale.spare = s.toldHeads == 0 && s.faults.StaleHeads == 0
		n.faulty = brokertest.Faulty(n.stale, s.seed<<8+uint64(i), s.faults)
		n.b = w.start(n.name, n.faulty, n)
		w.nodes = append(w.nodes, n)
	}
	return w
}

func (w *world) start(id string, b broker.Broker, sink broker.Sink) broker.Broker {
	if w.sparse {
		b = &sparse{Broker: b}
	}
	if err := b.Start(context.Background(), broker.Node{ID: id, Profiles: profiles}, sink); err != nil {
		w.t.Fatal(err)
	}
	return b
}

// An entry of the trace is made text only if it is wanted.
type entry struct {
	at     time.Time
	format string
	args   []any
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, entry{w.clock, format, args})
}

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	var text strings.Builder
	for _, e := range w.trace[max(0, len(w.trace)-40):] {
		fmt.Fprintf(&text, "\n%s "+e.format, append([]any{e.at.Format("04:05.000")}, e.args...)...)
	}
	w.t.Fatalf("seed %d, sparse %v: %s%s", w.seed, w.sparse, fmt.Sprintf(format, args...), text.String())
}

// A witness sees every message in its order: it knows what came before what.
type witness struct {
	broker.Sink
	w      *world
	b      broker.Broker
	before map[broker.Position]broker.Position
	last   map[string]broker.Position
}

func (v *witness) State(broker.State, error) {}
func (v *witness) NodeUp(broker.NodeState)   {}
func (v *witness) Deliver(m broker.Message) {
	v.before[m.Position] = v.last[m.Room]
	v.last[m.Room] = m.Position
}
func (v *witness) Uncertain(broker.Scope, error) {}

// look asks the store where a room stands.
func (v *witness) look(room string) broker.Position {
	heads, err := v.b.Open(context.Background(), []string{room})
	if err != nil {
		v.w.fail("the witness cannot open %s: %v", room, err)
	}
	v.last[room] = plain(heads[0].Position)
	return v.last[room]
}

// plain makes all positions of an empty room of one epoch equal.
func plain(p broker.Position) broker.Position {
	if p.Tag == 0 {
		p.Offset = 0
	}
	return p
}

// canFollow says whether the store, asked now, proves what came after p, and how
// many messages that is.
func (v *witness) canFollow(room string, p broker.Position) (int, bool) {
	page, err := v.b.Read(context.Background(), room, broker.Range{From: p})
	if err != nil {
		return 0, false
	}
	messages, err := page.Follow(p, 0)
	return len(messages), err == nil
}

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

func (w *world) rooms() []string { return []string{"aged", "long", "short"} }

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

// settle works until nothing is left, moving the clock where it must.
func (w *world) settle() {
	for range 100_000 {
		worked, left := false, false
		for _, n := range w.nodes {
			worked = n.work() || worked
			left = left || len(n.tasks) > 0
		}
		if !left {
			return
		}
		if !worked {
			w.clock = w.clock.Add(10 * time.Millisecond)
		}
	}
	w.fail("the nodes never come to rest")
}

func (s *seat) Emit(m broker.Message) {
	for _, c := range s.members {
		c.receive(m)
	}
}

func (s *seat) Attach(c *client, at broker.Position, replay []broker.Message) {
	w := s.node.w
	w.note("%s attaches %s at %v with %d", s.node.name, c.name, at, len(replay))
	if !c.last.IsZero() && c.seat != s {
		w.fail("%s was attached to a seat that it is not at", c.name)
	}
	if c.last.IsZero() {
		c.last = at
	}
	for _, m := range replay {
		c.receive(m)
	}
	if plain(c.last) != plain(at) {
		w.fail("%s is attached at %v and stands at %v", c.name, at, c.last)
	}
	c.last, c.waits = at, false
	s.members = append(s.members, c)
}

func (s *seat) Restart(c *client, at broker.Position, why feed.Reason) {
	w := s.node.w
	w.note("%s restarts %s at %v: %s", s.node.name, c.name, at, why)
	n, ok := w.witness.canFollow(s.room, c.last)
	excused := why == feed.Unavailable && (s.node.off || s.node.troubles() > c.troubles) ||
		why == feed.TooFar && w.lost // it was too far before the loss
	if w.strict && ok && n <= w.limits.Replay && !excused {
		w.fail("%s is restarted (%s) at %v, and could have gone on from %v", c.name, why, at, c.last)
	}
	c.restart(at, why)
	c.waits = false
	s.members = append(s.members, c)
}

func (s *seat) RestartAll(at broker.Position, why feed.Reason) {
	w := s.node.w
	w.note("%s restarts all of %s at %v: %s", s.node.name, s.room, at, why)
	for _, c := range s.members {
		if _, ok := w.witness.canFollow(s.room, c.last); w.strict && ok {
			w.fail("%s is restarted with all (%s) at %v, and could have gone on from %v", c.name, why, at, c.last)
		}
		c.restart(at, why)
	}
}

func (s *seat) Refuse(c *client, err error) {
	s.node.w.fail("%s is refused: %v", c.name, err)
}

// A client is a member with a memory.
type client struct {
	w        *world
	name     string
	room     string
	last     broker.Position // zero: has not been here
	seat     *seat           // nil: away
	waits    bool            // for an answer to its join
	troubles int             // of its node when it joined
	got      []string
	restarts []feed.Reason
}

func (w *world) client(room string) *client {
	c := &client{w: w, name: fmt.Sprint("client", len(w.clients)), room: room}
	w.clients = append(w.clients, c)
	return c
}

func (c *client) receive(m broker.Message) {
	before, known := c.w.witness.before[m.Position]
	switch {
	case !known:
		c.w.fail("%s receives %v, which nobody published", c.name, m.Position)
	case plain(before) != plain(c.last):
		c.w.fail("%s stands at %v and receives %v, which comes after %v", c.name, c.last, m.Position, before)
	}
	c.last = m.Position
	c.got = append(c.got, string(m.Data))
}

func (c *client) restart(at broker.Position, why feed.Reason) {
	c.last = at
	c.restarts = append(c.restarts, why)
}

// join brings the client to a node, from where it stands.
func (c *client) join(n *node) {
	s := n.seat(c.room)
	c.w.note("%s joins %s on %s from %v", c.name, c.room, n.name, c.last)
	c.seat, c.waits, c.troubles = s, true, n.troubles()
	s.feed.Join(c.w.clock, c, c.last)
	s.collect()
}

// leave takes it away: its connection is cut.
func (c *client) leave() {
	s := c.seat
	c.w.note("%s leaves", c.name)
	s.members = slices.DeleteFunc(s.members, func(o *client) bool { return o == c })
	s.feed.Leave(c)
	s.collect()
	c.seat, c.waits = nil, false
}

// publish publishes through a node, and again with the same key until the
// outcome is known.
func (w *world) publish(n *node, room, data string) broker.Position {
	if _, ok := w.witness.last[room]; !ok {
		w.witness.look(room)
	}
	for range 1000 {
		ack, err := n.b.Publish(context.Background(), room, []byte(data), broker.PublishOptions{Profile: room, Key: data})
		if err == nil {
			w.note("%s publishes %q in %s: %v", n.name, data, room, ack.Position)
			return ack.Position
		}
		if n.faulty.Counts().Refused == 0 && n.faulty.Counts().Unknown == 0 {
			return broker.Position{} // cut off
		}
	}
	return broker.Position{}
}

// loseTail makes the store lose what it acknowledged.
func (w *world) loseTail(room string, n int) {
	if w.sparse {
		// A store that does not tell the tag before tells, at least, that it was
		// away: before anything that follows.
		for _, n := range w.nodes {
			n.faulty.Flush()
		}
	}
	lost := w.cluster.LoseTail(room, n)
	w.lost = true
	w.witness.look(room)
	w.note("the store loses %d of %s", lost, room)
	if w.sparse {
		for _, n := range w.nodes {
			n.Uncertain(broker.Scope{}, nil)
		}
	}
}

func (w *world) purge(room string) {
	for _, n := range w.nodes {
		if err := n.stale.purges(room); err != nil {
			w.fail("look at what is purged: %v", err)
		}
	}
	if err := w.witness.b.Purge(context.Background(), room); err != nil {
		w.fail("purge: %v", err)
	}
	w.witness.look(room)
	w.note("%s is purged", room)
}
