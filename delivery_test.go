package finch_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker/brokertest"
)

var (
	oneSeed = flag.Uint64("seed", 0, "run the stage with this seed alone")
	tailing = flag.Int("tail", 60, "how much of what happened a failure tells")
	seeds   = flag.Int("seeds", 40, "how many seeds the stage runs with")
)

// TestNothingIsLostDoubledOrReordered lets clients come, go, resume, read slowly
// and publish, on managers whose store loses, repeats, delays and swaps
// deliveries, answers late, and is cut off. Each client checks that every
// recorded message is the one that follows where it stands, that whoever is
// restarted could not have gone on, and that ephemeral messages keep their
// sender's order; in the end all stand at the head, and nothing is left.
//
//	go test . -run Doubled -seed 17
func TestNothingIsLostDoubledOrReordered(t *testing.T) {
	if *oneSeed != 0 {
		playOne(t, *oneSeed, true)
		return
	}
	var got, resets int
	for seed := range uint64(*seeds) {
		g, r := playOne(t, seed+1, false)
		got, resets = got+g, resets+r
	}
	t.Logf("%d seeds: %d recorded messages received, %d resets", *seeds, got, resets)
	if got < 20**seeds || *seeds >= 20 && resets == 0 {
		t.Errorf("too little happened: %d messages, %d resets", got, resets)
	}
}

// playOne plays one seed in a bubble of its own.
func playOne(t *testing.T, seed uint64, tell bool) (got, resets int) {
	t.Helper()
	ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newStage(t, planOf(seed))
			for range 250 {
				w.act(w.random, w.actors[w.random.IntN(len(w.actors))])
				if w.random.IntN(3) == 0 {
					synctest.Wait()
				}
				w.judge()
			}
			w.conclude()
			for _, a := range w.actors {
				got += a.got
				for _, n := range a.resets {
					resets += n
				}
			}
			if tell {
				for _, line := range w.trace {
					t.Log(line)
				}
			}
		})
	})
	if !ok {
		t.FailNow()
	}
	return got, resets
}

// TestNothingIsLostAmongGoroutines is the same without a bubble: each actor is
// directed by a goroutine of its own, at once with the others.
func TestNothingIsLostAmongGoroutines(t *testing.T) {
	for seed := range uint64(4) {
		p := planOf(seed + 1)
		p.bubble, p.nodes, p.cluster, p.grace = false, 1+int(seed)%2, true, 50*time.Millisecond
		p.faults = brokertest.Faults{Repeat: 0.1, Hold: 0.1}
		w := newStage(t, p)
		var acting sync.WaitGroup
		for i, a := range w.actors {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			acting.Go(func() {
				for range 150 {
					w.act(r, a)
				}
			})
		}
		acting.Wait()
		w.judge()
		w.conclude()
	}
}

func planOf(seed uint64) plan {
	r := rand.New(rand.NewPCG(seed, 3))
	chance := func(most float64) float64 {
		if r.IntN(3) == 0 {
			return 0
		}
		return r.Float64() * most
	}
	p := plan{
		seed: seed, bubble: true, nodes: 1 + r.IntN(3), actors: 6,
		queue: 8<<10 + r.IntN(60<<10), grace: time.Duration(1+r.IntN(30)) * time.Second,
		ticketAge: 30 * time.Minute,
	}
	p.cluster = p.nodes > 1 || r.IntN(2) == 0
	if r.IntN(4) > 0 {
		p.faults = brokertest.Faults{Drop: chance(0.2), Repeat: chance(0.2), Hold: chance(0.3),
			Unknown: chance(0.2), Refuse: chance(0.1), Stale: chance(0.2), StaleHeads: chance(0.2)}
	}
	return p
}

// conclude makes the world good, and asks that everybody who is there stands at
// the head; then all leave, and nothing may be left of them.
func (w *stage) conclude() {
	w.mu.Lock()
	w.note("the faults end")
	w.mu.Unlock()
	for _, n := range w.nodes {
		n.faulty.SetFaults(brokertest.Faults{})
		n.faulty.Mend()
		n.faulty.Cut() // so that all is looked at anew
		n.faulty.Mend()
		n.faulty.Flush()
	}
	for _, a := range w.actors {
		a.stall(false)
	}
	w.pass(20 * time.Second)
	for _, a := range w.actors {
		w.mu.Lock()
		away := a.link == nil
		w.mu.Unlock()
		if away {
			a.connect(w.nodes[0])
			w.pass(time.Second)
		}
		a.insist()
	}
	w.pass(2 * time.Minute)
	w.judge()
	w.until(func() {
		w.compare()
		for _, a := range w.actors {
			if a.link == nil && !w.bubble {
				w.returning = append(w.returning, a)
			}
		}
	})
	w.judge()
	w.leaveNothing()
	w.judge()
	w.finish()
}

// until repeats an examination until it finds no fault, in a bubble once, where
// all has come to rest.
func (w *stage) until(examine func()) {
	for deadline := time.Now().Add(patience); ; runtime.Gosched() {
		for _, a := range w.returning { // a busy machine may have cut it off
			a.connect(w.nodes[0])
		}
		w.returning = nil
		for _, a := range w.actors {
			a.insist()
		}
		w.mu.Lock()
		if w.failed == "" {
			examine()
		} else { // an actor's, which nothing mends
			w.mu.Unlock()
			return
		}
		if w.failed == "" || w.bubble || time.Now().After(deadline) {
			w.mu.Unlock()
			return
		}
		w.failed = ""
		w.mu.Unlock()
	}
}

// pass lets time go by in a bubble, and waits for a while outside of one.
func (w *stage) pass(d time.Duration) {
	if w.bubble {
		time.Sleep(d)
		synctest.Wait()
	}
}

// compare compares where all stand with where they should. Called with mu held.
func (w *stage) compare() {
	for _, a := range w.actors {
		if a.link == nil {
			a.fail("is away in the end")
			continue
		}
		if a.letter != nil && a.places["/"+a.letter.room] != nil && !a.places["/"+a.letter.room].leaving {
			a.fail("still waits for %s", a.letter.id)
		}
		in := w.inRooms(a)
		for at, s := range a.places {
			if s.leaving || s.ousted && !slices.Contains(in, at[1:]) {
				continue
			}
			head := w.witness.head(a.storeRoom(at))
			stands := s.at
			if !a.hello || at[0] != '/' {
				head = w.witness.skips(head, stands, a.session())
			}
			switch {
			case s.awaited || s.joining:
				a.fail("was never answered in %s", at)
			case at[0] == '/' && !slices.Contains(in, at[1:]):
				a.fail("is in %s, the server does not know it", at)
			case s.at.IsZero() && s.blank && head.Tag == 0:
			case emptied(stands) != emptied(head):
				a.fail("stands at %v in %s, the room at %v", s.at, at, head)
			}
		}
		for _, room := range in {
			if s := a.places["/"+room]; s == nil || s.leaving {
				a.fail("is in %s and does not know it", room)
			}
		}
	}
	for id := range w.acked {
		if n := w.witness.recorded(id); n != 1 {
			w.fault("%s was acknowledged and recorded %d times", id, n)
		}
	}
}

// leaveNothing lets everybody go, and looks for what is left.
func (w *stage) leaveNothing() {
	for _, a := range w.actors {
		a.drop()
		a.bury()
	}
	w.pass(3 * time.Minute)
	w.until(func() {
		if left := w.left(); left != "" {
			w.fault("%s", left)
		}
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	for ses, event := range w.lives {
		if event != "leave" && len(w.nodes) == 1 && w.bubble {
			w.fault("the session %s ends with %q", ses.Name(), event)
		}
	}
}

func (w *stage) left() string {
	for _, n := range w.nodes {
		if s := n.manager.Stats(); s.Sockets != 0 || s.Rooms != 0 || s.QueuedBytes != 0 {
			return fmt.Sprintf("%s has left %+v", n.name, s)
		}
		if sessions, people := finch.Leftovers(n.manager); sessions != 0 || people != 0 {
			return fmt.Sprintf("%s has left %d sessions and shows %d people", n.name, sessions, people)
		}
	}
	return ""
}
