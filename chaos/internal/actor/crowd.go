package actor

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/chaos/internal/server"
)

// A Crowd is all actors of a run.
type Crowd struct {
	world   *World
	players []player
	end     context.CancelFunc
	running sync.WaitGroup
}

type player interface {
	Run(ctx context.Context)
	View() View
}

// NewCrowd makes actors, every sixth of them package client, half of the others
// anonymous, and two of them devices of one user.
func NewCrowd(w *World, size int, seed uint64) *Crowd {
	c := &Crowd{world: w}
	rng := rand.New(rand.NewPCG(seed, 0xc40d))
	for i := range size {
		var rooms []string
		for _, r := range rng.Perm(len(w.Rooms))[:min(3, len(w.Rooms))] {
			rooms = append(rooms, w.Rooms[r])
		}
		mine := rng.Uint64()
		if i%6 == 5 { // package client knows no clubs
			rooms = slices.DeleteFunc(rooms, func(room string) bool { return strings.HasPrefix(room, server.Club) })
		}
		switch {
		case i%6 == 5:
			c.players = append(c.players, NewLibrary(w, fmt.Sprintf("l%d", i), mine, rooms))
		case i == 0 || i == 1:
			c.players = append(c.players, New(w, fmt.Sprintf("u%d", i), "twice", mine, rooms))
		case i%2 == 0:
			c.players = append(c.players, New(w, fmt.Sprintf("u%d", i), fmt.Sprintf("user%d", i), mine, rooms))
		default:
			c.players = append(c.players, New(w, fmt.Sprintf("a%d", i), "", mine, rooms))
		}
	}
	return c
}

// Begin lets them act, a few at a time.
func (c *Crowd) Begin(ctx context.Context, over time.Duration) {
	ctx, c.end = context.WithCancel(ctx)
	for i, p := range c.players {
		c.running.Go(func() {
			select {
			case <-time.After(over * time.Duration(i) / time.Duration(len(c.players))):
				p.Run(ctx)
			case <-ctx.Done():
			}
		})
	}
}

// End lets them say goodbye, and waits.
func (c *Crowd) End() {
	if c.end != nil {
		c.end()
		c.running.Wait()
	}
}

// On answers the actors that are connected to a node, and a look at whether one
// of them is connected to another, and in all its rooms, since a time.
func (c *Crowd) On(node int) []func() bool {
	var list []func() bool
	for _, p := range c.players {
		v := p.View()
		if v.Node != node {
			continue
		}
		since := v.Since
		list = append(list, func() bool {
			now := p.View()
			return now.Node >= 0 && (now.Node != node || now.Since != since)
		})
	}
	return list
}

// Missing says what is not as it should be when all is quiet: who is not
// connected, who is not in rooms, and what one member is told of a room that is
// not so. after is when the quiet began: answers from before do not count.
func (c *Crowd) Missing(after time.Duration) []string {
	var faults []string
	views := make([]View, len(c.players))
	expected := map[string]map[string]int{}
	for i, p := range c.players {
		v := p.View()
		views[i] = v
		if v.Node < 0 {
			faults = append(faults, fmt.Sprintf("actor %d %q is not connected", i, v.Name))
		}
		for room := range v.Rooms {
			if expected[room] == nil {
				expected[room] = map[string]int{}
			}
			expected[room][v.Name]++
		}
	}
	for i, v := range views {
		for room, r := range v.Rooms {
			if _, ok := c.players[i].(*Library); ok {
				continue
			}
			switch {
			case r.Asked == nil || r.At < after:
				faults = append(faults, fmt.Sprintf("%q has no answer of who is in %s", v.Name, room))
			case !maps.Equal(r.Asked, expected[room]):
				faults = append(faults, fmt.Sprintf("%q on node %d is told that in %s are %s", v.Name, v.Node, room, differ(r.Asked, expected[room])))
			case r.Watched != nil && !maps.Equal(r.Watched, expected[room]):
				faults = append(faults, fmt.Sprintf("%q on node %d has heard that in %s are %s", v.Name, v.Node, room, differ(r.Watched, expected[room])))
			}
		}
	}
	return faults
}

// Counts answers how many sockets should be in each room.
func (c *Crowd) Counts() map[string]int {
	counts := map[string]int{}
	for _, p := range c.players {
		for room := range p.View().Rooms {
			counts[room]++
		}
	}
	return counts
}

// differ says how one table differs from another.
func differ(got, want map[string]int) string {
	var words []string
	for id, n := range got {
		if want[id] != n {
			words = append(words, fmt.Sprintf("%s %d times, not %d", id, n, want[id]))
		}
	}
	for id := range want {
		if _, ok := got[id]; !ok {
			words = append(words, "not "+id)
		}
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
