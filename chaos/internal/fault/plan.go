package fault

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Kind is what goes wrong.
type Kind string

const (
	NodeKill    Kind = "node killed"
	NodePause   Kind = "node paused"
	NodeDrain   Kind = "node restarted gracefully"
	ServerKill  Kind = "server killed"
	LeaderKill  Kind = "leader killed"
	ServerPause Kind = "server paused"
	LinkCut     Kind = "link cut"
	LinkSlow    Kind = "link slow"
	LinkHalf    Kind = "link open one way"
	LinkLossy   Kind = "link loses messages"
	RouteCut    Kind = "server cut off from others"
	StoreDown   Kind = "all servers killed"
	Rollback    Kind = "store rolled back"
	MasterKill  Kind = "master killed, replica promoted"
	MasterPause Kind = "master paused, replica promoted"
	MasterLag   Kind = "replica promoted that was behind"
)

// OfNodes tells whether it is nodes that it meets, and not the store or a link.
func (k Kind) OfNodes() bool { return k == NodeKill || k == NodePause || k == NodeDrain }

// A Fault is one thing that goes wrong.
type Fault struct {
	Kind   Kind
	After  time.Duration // of quiet, since the fault before
	For    time.Duration
	Target int  // of nodes or servers
	Other  int  // the other end of a link; a choice among leaders
	Flag   bool // a node keeps its name; a link is stopped toward the server
}

// String says it in one line.
func (f Fault) String() string {
	return fmt.Sprintf("%s (%d) for %.1f s", f.Kind, f.Target, f.For.Seconds())
}

// A Setting is what there is to break.
type Setting struct {
	Nodes   int
	Servers int  // of the store; none if it is inside the node
	Links   bool // between nodes and servers there are links
	Routes  bool // servers need each other
	Masters bool // some servers are replicas of others, and take over from them
	Leaders bool // servers lead something each
	Lasting bool // the store outlives its processes, and can be put back
	Long    bool // the rare and dear things too
}

type weighted struct {
	kind   Kind
	weight int
	min    time.Duration
	max    time.Duration
	first  int // above others: earlier, in the first round
}

// Nodes plans faults of nodes for a time.
func Nodes(s Setting, length time.Duration, seed uint64) []Fault {
	kinds := []weighted{
		{NodeKill, 5, 500 * time.Millisecond, 4 * time.Second, 0},
		{NodePause, 3, 1 * time.Second, 9 * time.Second, 0},
		{NodeDrain, 3, 0, 500 * time.Millisecond, 0},
	}
	rng := rand.New(rand.NewPCG(seed, 0x0de5))
	list := plan(kinds, s, s.Nodes, length, rng)
	if s.Servers == 0 {
		list = withRollback(list, s, rng)
	}
	return list
}

// Stores plans faults of the store and of the links to it for a time.
func Stores(s Setting, length time.Duration, seed uint64) []Fault {
	var kinds []weighted
	if s.Masters {
		kinds = append(kinds,
			weighted{MasterKill, 4, 500 * time.Millisecond, 3 * time.Second, 1},
			weighted{MasterPause, 3, 500 * time.Millisecond, 4 * time.Second, 1},
			weighted{MasterLag, 4, 500 * time.Millisecond, 3 * time.Second, 1})
	}
	if s.Servers > 0 {
		kinds = append(kinds,
			weighted{ServerKill, 3, 500 * time.Millisecond, 3 * time.Second, 0},
			weighted{ServerPause, 3, 1 * time.Second, 8 * time.Second, 0})
	}
	if s.Leaders {
		kinds = append(kinds, weighted{LeaderKill, 4, 500 * time.Millisecond, 3 * time.Second, 0})
	}
	if s.Links {
		kinds = append(kinds,
			weighted{LinkCut, 2, 200 * time.Millisecond, 4 * time.Second, 0},
			weighted{LinkSlow, 1, 2 * time.Second, 5 * time.Second, 0},
			weighted{LinkHalf, 3, 1 * time.Second, 9 * time.Second, 0},
			weighted{LinkLossy, 2, 2 * time.Second, 5 * time.Second, 0})
	}
	if s.Routes {
		kinds = append(kinds, weighted{RouteCut, 2, 1 * time.Second, 6 * time.Second, 0})
	}
	if s.Long && s.Servers > 0 {
		kinds = append(kinds, weighted{StoreDown, 1, 500 * time.Millisecond, 4 * time.Second, 0})
	}
	rng := rand.New(rand.NewPCG(seed, 0x5704e))
	list := plan(kinds, s, s.Servers, length, rng)
	if s.Servers > 0 {
		list = withRollback(list, s, rng)
	}
	return list
}

// withRollback puts a rollback into the middle, in the lane of those whom it
// would meet.
func withRollback(list []Fault, s Setting, rng *rand.Rand) []Fault {
	if !s.Long || !s.Lasting {
		return list
	}
	back := Fault{Kind: Rollback, After: time.Second, For: time.Second + time.Duration(rng.Int64N(int64(3*time.Second)))}
	return slices.Insert(list, len(list)/2, back)
}

// plan draws faults until their time is full. The first of each kind come in a
// random order before any comes again, so that a short run has most of them.
func plan(kinds []weighted, s Setting, targets int, length time.Duration, rng *rand.Rand) (list []Fault) {
	var bag []weighted
	for at := time.Duration(0); len(kinds) > 0; {
		if len(bag) == 0 {
			for _, k := range kinds {
				for range k.weight {
					bag = append(bag, k)
				}
			}
			rng.Shuffle(len(bag), func(i, j int) { bag[i], bag[j] = bag[j], bag[i] })
			if at == 0 {
				bag = firsts(bag)
			}
		}
		k := bag[0]
		bag = bag[1:]
		f := Fault{Kind: k.kind, For: k.min + time.Duration(rng.Int64N(int64(k.max-k.min)+1)), Other: rng.IntN(1 << 20), Flag: rng.IntN(2) == 0}
		f.After = 300*time.Millisecond + time.Duration(rng.Int64N(int64(2500*time.Millisecond)))
		if targets > 0 {
			f.Target = rng.IntN(targets)
		}
		if s.Nodes > 0 && (k.kind == LinkCut || k.kind == LinkSlow || k.kind == LinkHalf || k.kind == LinkLossy) {
			f.Other %= s.Nodes
		}
		if at += f.After + f.For; at > length {
			return list
		}
		list = append(list, f)
	}
	return list
}

// firsts answers one of each kind, in the order in which they come first, but for
// those that a run is about.
func firsts(bag []weighted) (list []weighted) {
	seen := map[Kind]bool{}
	for _, k := range bag {
		if !seen[k.kind] {
			seen[k.kind] = true
			list = append(list, k)
		}
	}
	slices.SortStableFunc(list, func(a, b weighted) int { return cmp.Compare(b.first, a.first) })
	return list
}
