package feed

import (
	"context"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// Options are for NewRunner.
type Options[M comparable] struct {
	// Broker is asked. It is started and closed by somebody else, who passes the
	// Sink's Deliver and Uncertain on to the Runner.
	Broker broker.Broker
	// Room makes what a room's feed works for. It is called when the first member
	// joins, with no lock held; its methods are called under a lock of that room
	// alone.
	Room func(name string) Room[M]
	// Gone, if not nil, is told of rooms that were released, with no lock held.
	Gone func(name string)
	// Limits of each feed.
	Limits Limits
	// CheckEvery is how often the heads of all rooms are checked, because the
	// last message of a room that is then quiet leaves no gap when it is lost.
	// Zero is 30 seconds.
	CheckEvery time.Duration
	// Linger is how long a room stays open that no member is in, so that coming
	// and going costs the broker nothing. Zero is 20 seconds; it ends at the next
	// turn of a clock that ticks four times in it.
	Linger time.Duration
	// Timeout bounds one call of the broker. Zero is 10 seconds, which is longer
	// than a cluster's election.
	Timeout time.Duration
	// Now is the clock; nil is time.Now. Timers are the runtime's.
	Now func() time.Time
}

// A Runner drives the feeds of a node: it keeps one for each room that has
// members, does what they request, checks heads and closes rooms that are left.
// Its methods may be called from any goroutine and do not block; those of a
// room's Room must not call them.
type Runner[M comparable] struct {
	o      Options[M]
	limits Limits
	ctx    context.Context // of the broker's calls; ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup // every goroutine

	mu    sync.RWMutex
	rooms map[string]*entry[M]

	jobs jobs[M]

	// Of the goroutine that checks.
	mark broker.Mark
}

// An entry is a room that is open on this node.
type entry[M comparable] struct {
	name string

	mu      sync.Mutex
	feed    Feed[M]
	members int
	left    int64 // when the last one left, in nanoseconds since 1970
	gone    bool  // it is not in the map any more
}

// NewRunner makes a Runner and starts its goroutines. Close ends them.
func NewRunner[M comparable](o Options[M]) *Runner[M] {
	if o.CheckEvery == 0 {
		o.CheckEvery = 30 * time.Second
	}
	if o.Linger == 0 {
		o.Linger = 20 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Runner[M]{o: o, limits: o.Limits.WithDefaults(), rooms: map[string]*entry[M]{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.jobs.wake = make(chan struct{}, 1)
	r.done.Go(r.dispatch)
	r.done.Go(r.check)
	return r
}

// Close ends the Runner: calls of the broker that run are cancelled, and nobody
// who waits is answered any more. It blocks until all goroutines have ended.
func (r *Runner[M]) Close() {
	r.cancel()
	r.done.Wait()
	r.jobs.stop()
}

// Join lets a member into a room, at a position or (zero) for the first time. It
// is answered by the Room, perhaps before Join returns. Each Join is to be ended
// by Leave. A member is in a room once. broker.ErrBadRoom is returned for a name
// that no room has; then nothing was done.
func (r *Runner[M]) Join(room string, member M, from broker.Position) error {
	if len(room) == 0 || len(room) > broker.MaxRoom {
		return broker.ErrBadRoom // one such name would fail the others of its batch
	}
	for {
		e := r.entry(room)
		now := r.o.Now()
		e.mu.Lock()
		if e.gone { // released just now
			e.mu.Unlock()
			continue
		}
		e.members++
		e.feed.Join(now, member, from)
		r.jobs.put(e, e.feed.Requests())
		e.mu.Unlock()
		return nil
	}
}

// Rejoin is Join for a member that is in the room already and was detached by
// its Room: one that fell behind and goes on from its own position.
func (r *Runner[M]) Rejoin(room string, member M, from broker.Position) {
	r.with(room, func(e *entry[M], now time.Time) { e.feed.Join(now, member, from) })
}

// Leave ends a Join. A Join that was not answered will not be.
func (r *Runner[M]) Leave(room string, member M) {
	r.with(room, func(e *entry[M], now time.Time) {
		e.feed.Leave(member)
		if e.members--; e.members == 0 {
			e.left = now.UnixNano()
		}
	})
}

// Top is where a room stands on this node; zero if it is not open.
func (r *Runner[M]) Top(room string) (top broker.Position) {
	r.with(room, func(e *entry[M], _ time.Time) { top = e.feed.Top() })
	return top
}

// Rooms counts the rooms that are open.
func (r *Runner[M]) Rooms() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.rooms)
}

// Deliver is the broker.Sink's.
func (r *Runner[M]) Deliver(m broker.Message) {
	r.with(m.Room, func(e *entry[M], now time.Time) { e.feed.Deliver(now, m) })
}

// Uncertain is the broker.Sink's.
func (r *Runner[M]) Uncertain(scope broker.Scope, _ error) {
	uncertain := func(e *entry[M], now time.Time) { e.feed.Uncertain(now) }
	if !scope.All() {
		for _, room := range scope.Rooms {
			r.with(room, uncertain)
		}
		return
	}
	for _, e := range r.all() {
		r.do(e, uncertain)
	}
}

// entry returns the room's entry, new if need be.
func (r *Runner[M]) entry(room string) *entry[M] {
	r.mu.RLock()
	e := r.rooms[room]
	r.mu.RUnlock()
	if e != nil {
		return e
	}
	made := &entry[M]{name: room, feed: *New(r.o.Room(room), &r.limits, r.o.Now())}
	r.mu.Lock()
	defer r.mu.Unlock()
	if e := r.rooms[room]; e != nil {
		return e
	}
	r.rooms[room] = made
	return made
}

func (r *Runner[M]) with(room string, f func(*entry[M], time.Time)) {
	r.mu.RLock()
	e := r.rooms[room]
	r.mu.RUnlock()
	if e != nil {
		r.do(e, f)
	}
}

// do lets f work on an entry, and takes the requests that come of it.
func (r *Runner[M]) do(e *entry[M], f func(*entry[M], time.Time)) {
	now := r.o.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.gone {
		f(e, now)
		r.jobs.put(e, e.feed.Requests())
	}
}

func (r *Runner[M]) all() []*entry[M] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*entry[M], 0, len(r.rooms))
	for _, e := range r.rooms {
		all = append(all, e)
	}
	return all
}
