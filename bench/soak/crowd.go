package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A client is one member of the crowd, with a role that it plays again and again.
type client struct {
	*crowd
	name string
	rng  *rand.Rand
	turn int // counts its turns
}

// A role is one turn of a client. An error is a fault of the server; what a
// client that does wrong gets for it is none.
type role struct {
	name string
	play func(ctx context.Context, c *client) error
}

// roles in their proportion, the honest ones first.
var roles = []role{
	{"talker", talk}, {"talker", talk}, {"talker", talk},
	{"listener", listen}, {"listener", listen},
	{"publisher", publish},
	{"vanisher", vanish}, {"babbler", babble}, {"flooder", flood}, {"slow reader", dawdle},
	{"half done", stopHalfway}, {"pinger", ping}, {"mute", staySilent}, {"visitor", visit},
}

const honest = 6

// crowd is all the clients of one server.
type crowd struct {
	server *server
	seed   uint64
	size   int
	tally  *tally
	rounds uint64
}

// run lets the clients go on for so long, and calls each every second meanwhile.
// When it returns all have left.
func (c *crowd) run(ctx context.Context, length time.Duration, each func() error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	c.rounds++
	var wg sync.WaitGroup
	for i := range c.size {
		r := roles[i%len(roles)]
		k := &client{crowd: c, name: fmt.Sprintf("%d-%d", c.rounds, i), rng: rand.New(rand.NewPCG(c.seed, c.rounds<<32|uint64(i)))}
		wg.Go(func() {
			for ctx.Err() == nil {
				k.turn++
				if err := r.play(ctx, k); err != nil {
					c.tally.fault("%s: %v", r.name, err)
					pause(ctx, time.Second)
				}
				c.tally.count(r.name)
				most := 100
				if i%len(roles) >= honest {
					most = 2000 // or they would have the machine to themselves
				}
				pause(ctx, time.Duration(k.rng.IntN(most))*time.Millisecond)
			}
		})
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for each != nil && ctx.Err() == nil {
		if err := each(); err != nil {
			c.tally.fault("%v", err)
			cancel()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	wg.Wait()
}

// pause waits, and answers whether there is more time.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// tally is what the clients count.
type tally struct {
	opened, echoed, heard atomic.Int64

	mu     sync.Mutex
	turns  map[string]int
	faults []string
	more   int // faults that were not kept
}

const keptFaults = 20

func (t *tally) fault(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.faults) == keptFaults {
		t.more++
		return
	}
	t.faults = append(t.faults, fmt.Sprintf(format, args...))
}

func (t *tally) count(role string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.turns == nil {
		t.turns = map[string]int{}
	}
	t.turns[role]++
}

func (t *tally) roles() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.turns))
}

// open is the server's open, for a client that has a right to be served.
func (c *client) open(path string) (*socket, error) {
	k, err := c.server.open(path, c.rng)
	if err == nil {
		c.tally.opened.Add(1)
	}
	return k, err
}
