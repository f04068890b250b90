package feed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
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
		b = &sparse{Broker: b, empty: map[string]uint64{}}
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

func (w *world) rooms() []string { return []string{"aged", "long", "short"} }

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
