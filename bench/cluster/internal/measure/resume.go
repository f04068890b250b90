package measure

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/bench/cluster/internal/wire"
)

const (
	// sharedBy is how many clients share a room in the part with shared rooms.
	sharedBy = 100
	// sampleEvery is how often the broker's reads are counted.
	sampleEvery = 100 * time.Millisecond
	// leastRate is for parts with so few rooms that nothing would be missed.
	leastRate = 10
)

func resumePart(s Sizes, own bool, jitter time.Duration) part {
	p := part{
		name:  "resume-shared-" + short(jitter),
		title: fmt.Sprintf("%s clients of a node that is killed, rooms of %d, jitter of %s", count(float64(s.Clients)), sharedBy, short(jitter)),
		nodes: 2, servers: clusters, slow: true,
		figures: []figure{
			{"half", "half are back", seconds, false}, {"most", "99 % are back", seconds, false},
			{"peak", "peak of reads/s", count, false}, {"reads", "reads", count, false},
			{"lost", "lost", count, false}, {"repeated", "repeated", count, false}, {"resets", "reset", count, false},
		},
		measure: func(ctx context.Context, t *turn) (map[string]float64, error) { return t.resume(ctx, own, jitter) },
	}
	rooms := "a message a second in each room"
	if own {
		p.name = "resume-own-" + short(jitter)
		p.title = fmt.Sprintf("%s clients of a node that is killed, a room for each, jitter of %s", count(float64(s.Clients)), short(jitter))
		rooms = "a message every five seconds in each room"
	}
	p.about = fmt.Sprintf("The other node publishes %s, all the time. Each client comes back to it after a random time of up to %s, as clients do, and is back when it has all that it missed. Times are from the kill. Reads are those of the broker: commands that read for Redis, those of scripts too, and questions for NATS, one of which may be for many rooms; counted every %v.", rooms, short(jitter), sampleEvery)
	return p
}

// A returner is a client that comes back.
type returner struct {
	*wire.Client
	wait time.Duration // its jitter
	back time.Duration // from the kill until it had what it missed; 0: not yet
	sum  atomic.Int64  // of the numbers of the last messages in its rooms
}

// A comeback is the resume part under way.
type comeback struct {
	addr   string // of the node that lives
	killed atomic.Pointer[time.Time]
	back   atomic.Int64 // clients that are
	over   atomic.Bool
	fault  atomic.Pointer[error]
}

func (t *turn) resume(ctx context.Context, own bool, jitter time.Duration) (map[string]float64, error) {
	load := node.Load{Rooms: max(1, t.sizes.Clients/sharedBy), For: t.sizes.Lead + jitter + t.sizes.Trail}
	load.Rate = max(leastRate, load.Rooms)
	if own {
		load.Rooms = t.sizes.Clients
		load.Rate = max(leastRate, load.Rooms/5)
	}
	draw := rand.New(rand.NewPCG(uint64(t.round), 7)) // the same for all who take turns
	all := make([]*returner, t.sizes.Clients)
	clients := make([]*wire.Client, len(all))
	byClient := make(map[*wire.Client]*returner, len(all))
	for i := range all {
		clients[i] = &wire.Client{Dialect: t.dialect, Rooms: []int{i % load.Rooms}}
		all[i] = &returner{Client: clients[i], wait: time.Duration(draw.Float64() * float64(jitter))}
		byClient[clients[i]] = all[i]
	}
	cb := &comeback{addr: t.from.Addr}
	readers, err := joined(ctx, clients, t.to.Addr, func(c *wire.Client) { cb.follow(ctx, byClient[c]) })
	closeAll := sync.OnceFunc(func() {
		cb.over.Store(true)
		t.to.Kill()
		t.from.Kill() // ends every connection, whoever holds it
		readers.Wait()
	})
	defer closeAll()
	if err != nil {
		return nil, err
	}
	counted, err := t.store.Reads(ctx)
	if err != nil {
		return nil, err
	}
	var result node.Result
	var peak float64
	err = t.profiled(ctx, load.For, func() error {
		result, peak, err = t.die(ctx, cb, load, counted)
		return err
	})
	if err != nil {
		return nil, err
	}
	reads, err := counted()
	if err != nil {
		return nil, err
	}
	complete := until(ctx, settleWait, func() bool { return cb.fault.Load() != nil || complete(all, load.Rooms, result.Published) })
	if fault := cb.fault.Load(); fault != nil {
		return nil, *fault
	}
	if !complete {
		return nil, fmt.Errorf("%d of %d clients came back, and some never got the last message", cb.back.Load(), len(all))
	}
	closeAll()
	return returnFigures(all, peak, reads), nil
}

// die publishes and kills the clients' node meanwhile. Peak is the most reads a
// second.
func (t *turn) die(ctx context.Context, cb *comeback, load node.Load, counted func() (int, error)) (result node.Result, peak float64, err error) {
	done := make(chan struct{})
	var failed error
	go func() {
		defer close(done)
		result, failed = t.publish(ctx, "open", load)
	}()
	defer func() { <-done }()
	kill := time.NewTimer(t.sizes.Lead)
	defer kill.Stop()
	select {
	case <-done:
		return result, 0, failed
	case <-kill.C:
	}
	now := time.Now()
	cb.killed.Store(&now)
	t.to.Kill()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	before, err := counted()
	at := time.Now()
	for {
		select {
		case <-done:
			return result, peak, failed
		case <-tick.C:
		}
		reads, err := counted()
		if err != nil {
			return result, peak, err
		}
		passed := time.Since(at)
		if passed < sampleEvery/2 { // two turns of the clock that came together
			continue
		}
		peak = max(peak, float64(reads-before)/passed.Seconds())
		before, at = reads, time.Now()
	}
}

// complete tells whether every client has the last message of its room.
func complete(all []*returner, rooms, published int) bool {
	for i, r := range all {
		room := i % rooms
		want := published / rooms
		if room < published%rooms {
			want++
		}
		if int(r.sum.Load()) < want {
			return false
		}
	}
	return true
}

// maxJitter bounds how long a client waits that fails again and again.
const maxJitter = 20 * time.Second

// follow reads, comes back when the connection is lost, and reads on.
func (cb *comeback) follow(ctx context.Context, r *returner) {
	r.read()
	wait := r.wait
	for !cb.over.Load() {
		killed := cb.killed.Load()
		if killed == nil {
			err := fmt.Errorf("a client lost its connection before the node was killed")
			cb.fault.Store(&err)
			return
		}
		pause := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			pause.Stop()
			return
		case <-pause.C:
		}
		err := r.Join(ctx, cb.addr)
		if err == nil {
			r.back = time.Since(*killed)
			cb.back.Add(1)
			r.note()
			r.read()
			continue
		}
		wait = min(2*wait, maxJitter)
	}
}

// read reads until the connection is lost.
func (r *returner) read() {
	for r.Read() == nil {
		r.note()
	}
}

func (r *returner) note() { r.sum.Store(int64(r.Last())) }

func returnFigures(all []*returner, peak float64, reads int) map[string]float64 {
	var back []time.Duration
	lost, repeated, resets := 0, 0, 0
	for _, r := range all {
		back = append(back, r.back)
		lost, repeated, resets = lost+r.Lost, repeated+r.Repeated, resets+r.Resets
	}
	return map[string]float64{
		"half": quantile(back, 0.50).Seconds(), "most": quantile(back, 0.99).Seconds(),
		"peak": peak, "reads": float64(reads),
		"lost": float64(lost), "repeated": float64(repeated), "resets": float64(resets),
	}
}
