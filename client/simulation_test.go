package client_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/client"
)

// TestNothingIsLostNorDoubledOverFaults lets clients publish into one room of a
// server that breaks at every step, and checks that each of them reads the room
// without a gap, a repetition or a change of order, and that what was published
// is recorded once, in order. The seed makes the server's choices, and the
// scheduler the rest.
func TestNothingIsLostNorDoubledOverFaults(t *testing.T) {
	seeds := uint64(6)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			inMemory(t, func(w *world) { simulate(w, seed) })
		})
	}
}

// One of the simulated clients.
type resident struct {
	user string
	c    *client.Client
	room client.Room

	mu   sync.Mutex
	read []client.Event
	sent []*client.Publishing
}

func simulate(w *world, seed uint64) {
	h := newHouse(seed, 0.005+0.015*float64(seed%3))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go h.serve(ctx, w.door)
	const residents, each = 4, 150
	var all []*resident
	var published sync.WaitGroup
	for i := range residents {
		r := &resident{user: fmt.Sprintf("user%d", i)}
		r.c = w.client(client.Options{
			RoomQueue: 5 + 10*i,                                   // some of them lag
			RetryMax:  5 * time.Second, PublishTimeout: time.Hour, // so that every outcome is known in the end
			Token: func(context.Context) (string, error) { return r.user, nil },
		})
		r.room = r.c.Room("chat:7")
		all = append(all, r)
		go r.c.Connect(ctx)
		go r.reads(ctx, h)
		published.Go(func() { r.publishes(ctx, h, each) })
	}
	published.Wait()
	log := h.calm()
	time.Sleep(5 * time.Minute) // everybody comes back, and catches up
	synctest.Wait()
	for _, r := range all {
		r.checkRead(w.T, log)
		r.checkSent(w.T, log)
	}
	checkLog(w.T, log)
	if len(log) != residents*each {
		w.Errorf("%d messages were published, and %d recorded", residents*each, len(log))
	}
	w.Logf("%d connections broken, %d resets, %d recorded", h.drops, h.resets, len(log))
	if h.drops < 3 {
		w.Errorf("only %d connections were broken", h.drops)
	}
}

// reads reads the room, slowly at times.
func (r *resident) reads(ctx context.Context, h *house) {
	if _, err := r.room.Join(ctx); err != nil {
		return
	}
	for {
		n := 0
		for event, err := range r.room.Events(ctx) {
			if err != nil {
				return
			}
			r.mu.Lock()
			r.read = append(r.read, event)
			r.mu.Unlock()
			if n++; n%7 == 0 {
				h.nap(2 * time.Second)
			}
			if n == 30 {
				break // and begin another loop
			}
		}
	}
}

func (r *resident) publishes(ctx context.Context, h *house, n int) {
	if _, err := r.room.Join(ctx); err != nil {
		return
	}
	for i := range n {
		p, err := r.room.StartPublish("post", i, nil)
		if err != nil {
			continue // then one is missing in the log
		}
		r.mu.Lock()
		r.sent = append(r.sent, p)
		r.mu.Unlock()
		if i%5 == 4 {
			h.nap(2 * time.Second)
		}
	}
	for _, p := range r.sent {
		<-p.Done()
	}
}

// checkRead checks that what was read follows the log.
func (r *resident) checkRead(t *testing.T, log []record) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	last := -1
	for _, e := range r.read {
		switch e := e.(type) {
		case *client.Joined:
			if last < 0 || !e.Recovered {
				last = offset(e.Position)
			}
		case *client.Reset:
			last = offset(e.Position)
		case *client.Message:
			at := offset(e.Position)
			if at != last+1 {
				t.Errorf("%s read offset %d behind %d", r.user, at, last)
			}
			if want := log[at-1]; string(e.Data) != want.data || e.From != want.user || e.Key != want.key {
				t.Errorf("%s read %s of %s at offset %d, where %+v was recorded", r.user, e.Data, e.From, at, want)
			}
			last = at
		}
	}
	if last != len(log) {
		t.Errorf("%s read up to offset %d of %d; it is %+v", r.user, last, len(log), r.c.State())
	}
}

func offset(position string) (n int) {
	var epoch int
	fmt.Sscanf(position, "e%d.%d.a", &epoch, &n)
	return n
}

// checkSent checks that everything is recorded where it is said to be.
func (r *resident) checkSent(t *testing.T, log []record) {
	t.Helper()
	for i, p := range r.sent {
		done, err := p.Wait(context.Background())
		if err != nil {
			t.Errorf("publish %d of %s: %v", i, r.user, err)
			continue
		}
		at := offset(done.Position)
		if at < 1 || at > len(log) || log[at-1].key != p.Key() || log[at-1].user != r.user {
			t.Errorf("publish %d of %s is said to be at %s, where another is", i, r.user, done.Position)
		}
	}
}

// checkLog checks that what each user published is there once, and in order.
func checkLog(t *testing.T, log []record) {
	t.Helper()
	last := map[string]int{}
	for _, r := range log {
		var n int
		fmt.Sscan(r.data, &n)
		if before, ok := last[r.user]; ok && n <= before {
			t.Errorf("%s published %d, and it is recorded behind %d", r.user, n, before)
		}
		last[r.user] = n
	}
}
