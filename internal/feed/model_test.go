package feed_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/internal/feed"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run the model with this seed alone")
	seeds   = flag.Int("seeds", 1500, "how many seeds the model runs with")
	first   = flag.Uint64("first", 1, "the first of them")
)

// TestNothingIsLostDoubledOrReordered runs nodes and clients against a store
// that loses, repeats, delays and swaps deliveries, loses answers and tails,
// forgets by size and age, and is cut off. Each client checks that every message
// is the one that follows where it stands, and in the end all stand at the head.
// Whoever is restarted must have had no way to go on.
//
//	go test ./internal/feed -run Doubled -seed 17
func TestNothingIsLostDoubledOrReordered(t *testing.T) {
	if *oneSeed != 0 {
		runModel(t, *oneSeed)
		return
	}
	n := *seeds
	if testing.Short() || raceDetector {
		n = min(n, 150)
	}
	var got, restarts, attached int
	for seed := range uint64(n) {
		w := runModel(t, *first+seed)
		for _, c := range w.clients {
			got += len(c.got)
			restarts += len(c.restarts)
		}
		attached += len(w.clients)
	}
	t.Logf("%d seeds: %d messages received, %d restarts", n, got, restarts)
	if got < 100*n/4 || restarts == 0 {
		t.Errorf("too little happened")
	}
}

func runModel(t *testing.T, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 3))
	w := newWorld(t, someSetting(seed, r))
	rooms := w.rooms()
	hops := r.IntN(3) == 0 // members of one room go from node to node, each of which misses much
	if hops {
		rooms = rooms[r.IntN(len(rooms)):][:1]
		for _, n := range w.nodes {
			n.drop(0.3 + r.Float64()/2)
		}
	}
	for i := range 6 {
		w.client(rooms[i%len(rooms)])
	}
	disasters := r.IntN(3) // how often the store may lose or be purged
	for range 300 {
		n := w.nodes[r.IntN(len(w.nodes))]
		c := w.clients[r.IntN(len(w.clients))]
		room := rooms[r.IntN(len(rooms))]
		switch op := r.IntN(100); {
		case hops && op < 20:
			if c.seat != nil && !c.waits {
				c.leave()
			}
			if c.seat == nil {
				c.join(n)
			}
		case op < 99:
			w.step(r, op, n, c, room)
		case disasters == 0:
		case r.IntN(2) == 0:
			disasters--
			w.loseTail(room, 1+r.IntN(4))
		default:
			disasters--
			w.purge(room)
		}
	}
	w.conclude()
	return w
}

func someSetting(seed uint64, r *rand.Rand) setting {
	chance := func(most float64) float64 {
		if r.IntN(3) == 0 {
			return 0
		}
		return r.Float64() * most
	}
	s := setting{
		seed: seed, nodes: 1 + r.IntN(3), sparse: r.IntN(3) == 0,
		limits:    feed.Limits{Ring: 1 + r.IntN(8), RingBytes: 1 << 20, RingAge: time.Duration(1+r.IntN(60)) * time.Second, Replay: 8 + r.IntN(40), Held: 2 + r.IntN(20)},
		faults:    brokertest.Faults{Drop: chance(0.3), Repeat: chance(0.3), Hold: chance(0.4), Unknown: chance(0.2), Refuse: chance(0.2), Stale: chance(0.3), StaleHeads: chance(0.3)},
		toldHeads: chance(0.5), staleEpochs: chance(0.4),
	}
	switch {
	case s.sparse: // such a broker's heads have to be true
		s.faults.StaleHeads, s.toldHeads = 0, 0
	case r.IntN(2) == 0: // both together would know no bound
		s.faults.StaleHeads = 0
	default:
		s.toldHeads = 0
	}
	return s
}

// step does one of the things that happen every day.
func (w *world) step(r *rand.Rand, op int, n *node, c *client, room string) {
	switch {
	case op < 25:
		for range 1 + r.IntN(4) {
			w.publish(n, room, fmt.Sprint("m", len(w.trace)))
		}
	case op < 40:
		if c.seat == nil {
			c.join(n)
		}
	case op < 48:
		if c.seat != nil {
			c.leave()
		}
	case op < 51: // a member that fell behind goes on from where it stands
		if s := c.seat; s != nil && !c.waits {
			c.leave()
			c.join(s.node)
		}
	case op < 85:
		n.work()
	case op < 90:
		w.clock = w.clock.Add(time.Duration(r.IntN(20_000)) * time.Millisecond)
	case op < 93:
		n.check()
	case op < 94:
		n.faulty.Flush()
	case op < 96:
		n.cut(true)
	case op < 98:
		n.cut(false)
	default:
		if s := n.seats[room]; s != nil && s.feed.Live() && len(s.members) == 0 && !s.feed.Busy() {
			w.note("%s releases %s", n.name, room)
			n.b.Release([]string{room})
			delete(n.seats, room)
		}
	}
}

// conclude makes the world good, and asks that everybody who is there stands at
// the head.
func (w *world) conclude() {
	w.note("the faults end")
	for _, n := range w.nodes {
		n.faulty.SetFaults(brokertest.Faults{})
		n.stale.set(0, 0)
		n.faulty.Mend()
		n.faulty.Flush()
	}
	w.settle()
	for _, n := range w.nodes {
		if w.lost { // what was lost may have been delivered after a check had told of the loss
			n.marks = [2]broker.Mark{}
		}
		n.check()
	}
	w.settle()
	for _, c := range w.clients {
		if c.seat == nil {
			continue
		}
		if c.waits {
			w.fail("%s was never answered", c.name)
		}
		head := w.witness.look(c.room)
		if plain(c.last) != plain(head) {
			w.fail("%s stands at %v, the room at %v", c.name, c.last, head)
		}
		if s := c.seat; !s.feed.Live() || plain(s.feed.Top()) != plain(head) {
			w.fail("the feed of %s on %s stands at %v, live %v", c.room, s.node.name, s.feed.Top(), s.feed.Live())
		}
	}
	for _, n := range w.nodes {
		for _, s := range n.seats {
			if s.feed.Busy() || !s.feed.Live() {
				w.fail("%s is still busy on %s", s.room, n.name)
			}
		}
	}
}
