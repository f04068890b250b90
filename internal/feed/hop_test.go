package feed_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

var hops = flag.Int("hops", 10, "how many seeds readers hop with")

// TestReadersHopBetweenNodesAndMissNothing runs whole nodes, with all their
// goroutines, under all faults. None of what the store holds is lost, so nobody
// may be restarted but for a broker that cannot be asked.
//
//	go test ./internal/feed -run Hop -hops 300
//	go test ./internal/feed -run Hop -seed 17
//
// A seed repeats the faults and what readers do, though not how goroutines take
// turns.
func TestReadersHopBetweenNodesAndMissNothing(t *testing.T) {
	first, n := rand.Uint64()>>40, *hops
	if *oneSeed != 0 {
		first, n = *oneSeed, 1
	}
	total := 0
	for seed := first; seed < first+uint64(n); seed++ {
		synctest.Test(t, func(t *testing.T) { total += hop(t, seed) })
		if t.Failed() {
			t.Fatalf("it was seed %d", seed)
		}
	}
	t.Logf("%d seeds from %d: %d messages received", n, first, total)
	if total < 500*n {
		t.Errorf("only %d messages were received", total)
	}
}

// hopping is one run of the test.
type hopping struct {
	t     *testing.T
	seed  uint64
	nodes []*process
	ended context.Context
}

func hop(t *testing.T, seed uint64) (received int) {
	h := &hopping{t: t, seed: seed}
	r := h.random(0)
	c := memory.NewCluster(nil)
	for i := range 3 {
		h.nodes = append(h.nodes, startProcess(t, c, fmt.Sprint("n", i), r.Uint64(), brokertest.Faults{
			Drop: r.Float64() / 3, Repeat: r.Float64() / 5, Hold: r.Float64() / 3, Unknown: r.Float64() / 5,
			Refuse: r.Float64() / 10, Stale: r.Float64() / 5, StaleHeads: r.Float64() / 4,
		}))
	}
	ended, end := context.WithCancel(t.Context())
	h.ended = ended
	var others sync.WaitGroup
	for i := range 3 {
		others.Go(func() { h.publish(i) })
	}
	readers := make([]*reader, 16)
	for i := range readers {
		readers[i] = &reader{}
		others.Go(func() { h.read(i, readers[i]) })
	}
	for i := range 12 {
		time.Sleep(time.Duration(r.IntN(10_000)) * time.Millisecond)
		n := h.nodes[i%3]
		n.faulty.Cut()
		time.Sleep(time.Duration(r.IntN(3000)) * time.Millisecond)
		n.faulty.Mend()
	}
	end()
	others.Wait()
	for _, n := range h.nodes {
		n.faulty.SetFaults(brokertest.Faults{})
		n.faulty.Flush()
	}
	time.Sleep(2 * time.Minute) // checks
	for i, r := range readers {
		h.judge(i, r)
		received += len(r.got)
	}
	for _, n := range h.nodes {
		n.close(t)
	}
	return received
}

func (h *hopping) random(who int) *rand.Rand { return rand.New(rand.NewPCG(h.seed, uint64(who))) }

func hopRoom(i int) string { return fmt.Sprint("r", i%4) }

// pause waits, and reports whether the run goes on.
func (h *hopping) pause(r *rand.Rand, most int) bool {
	select {
	case <-h.ended.Done():
		return false
	case <-time.After(time.Duration(r.IntN(most)) * time.Millisecond):
		return true
	}
}

func (h *hopping) publish(who int) {
	r := h.random(100 + who)
	for i := 0; h.pause(r, 1000); i++ {
		key := fmt.Sprint(who, "-", i)
		for h.ended.Err() == nil {
			_, err := h.nodes[r.IntN(3)].faulty.Publish(context.Background(), hopRoom(i), []byte(key), broker.PublishOptions{Key: key})
			if err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// read hops from node to node; in the end the reader stays where it is.
func (h *hopping) read(who int, me *reader) {
	r, room := h.random(200+who), hopRoom(who)
	for {
		at := h.nodes[r.IntN(3)]
		me.join(h.t, at, room)
		going := h.pause(r, 4000)
		for going && me.attached() && r.IntN(3) == 0 { // it fell behind, and goes on from where it stands
			me.lag(at, room)
			time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			me.join(h.t, at, room)
			going = h.pause(r, 2000)
		}
		if !going {
			return
		}
		me.leave(at, room)
		if !h.pause(r, 1500) {
			me.join(h.t, at, room)
			return
		}
	}
}

func (h *hopping) judge(i int, r *reader) {
	h.t.Helper()
	heads, _, err := h.nodes[0].faulty.Heads(h.t.Context(), []string{hopRoom(i)}, "")
	if err != nil {
		h.t.Fatal(err)
	}
	if r.wrong != "" || r.refused != nil {
		h.t.Errorf("reader %d: %s, %v", i, r.wrong, r.refused)
	}
	if p := r.position(); p != heads[0].Position {
		h.t.Errorf("reader %d stands at %v, the room at %v", i, p, heads[0].Position)
	}
	for _, why := range r.restarts {
		if why != feed.Unavailable {
			h.t.Errorf("reader %d was restarted: %s", i, why)
		}
	}
	if !r.attached() {
		h.t.Errorf("reader %d joined %d times, cancelled %d of them and was answered %d times", i, r.joins, r.cancelled, r.answers)
	}
}
