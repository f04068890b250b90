package feed

import (
	"context"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// Options are for NewRunner. Broker and Room are needed; the rest may be zero.
type Options[M comparable] struct {
	// Broker is asked. It is started and closed by somebody else, who passes the
	// Sink's Deliver and Uncertain on to the Runner.
	Broker broker.Broker
	// Room makes what a room's feed works for. It is called once for each time
	// that a room is opened, before the broker is asked, with no lock held. The
	// Room's methods are called under a lock of that room alone, and must not call
	// the Runner.
	Room func(name string) Room[M]
	// Gone, if not nil, is told that a room has been released (or could not be
	// opened): its Room is not called any more. It is called once for each call of
	// Room, and before the next one of the same name, with no lock held.
	//
	// Room and Gone are called by one goroutine, which opens all rooms: they must
	// not wait for a Runner's Open or Close.
	Gone func(name string)
	// Keep is asked before a room is released in which nobody waits and which
	// nobody joined or opened for Linger: true keeps it open, to be asked again
	// after the next check. It is called with no lock held, at each check for each
	// room that could be released, so it is to be quick; the room may just have
	// gone. Nil keeps none.
	Keep func(name string) bool
	// Limits of each feed.
	Limits Limits
	// CheckEvery is how often the heads of all rooms are checked, because the
	// last message of a room that is then quiet leaves no gap when it is lost.
	// Zero is 30 seconds.
	CheckEvery time.Duration
	// Linger is how long a room stays open after the last Join or Open, at least,
	// so that coming and going costs the broker nothing. It is released with the
	// check that follows. Zero is 20 seconds.
	Linger time.Duration
	// Timeout bounds one call of the broker. Zero is 10 seconds, which is longer
	// than a cluster's election.
	Timeout time.Duration
	// Now is the clock; nil is time.Now. It is called under locks. Timers are the
	// runtime's.
	Now func() time.Time
}

// A Runner drives the feeds of a node: it keeps one for each room that was
// joined or opened, does what they request, checks heads, and releases rooms
// that nobody needs any more.
//
// Its methods may be called from any goroutine, but not from a Room's methods.
// None blocks but Open and Close.
type Runner[M comparable] struct {
	o      Options[M]
	limits Limits
	ctx    context.Context // of the broker's calls; ends with Close
	cancel context.CancelFunc
	done   sync.WaitGroup // every goroutine

	mu     sync.RWMutex // may be taken while an entry's lock is held, not the other way round
	rooms  map[string]*entry[M]
	closed bool

	jobs jobs[M]

	marks [2]broker.Mark // of the last check but one, and of the last; the checking goroutine's
}

// NewRunner makes a Runner and starts its goroutines. Close ends them.
func NewRunner[M comparable](o Options[M]) *Runner[M] {
	if o.CheckEvery == 0 {
		o.CheckEvery = 30 * time.Second
	}
	if o.Linger == 0 {
		o.Linger = 20 * time.Second
	}
	o.Linger = max(o.Linger, time.Millisecond) // as moments are counted
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Keep == nil {
		o.Keep = func(string) bool { return false }
	}
	if o.Gone == nil {
		o.Gone = func(string) {}
	}
	r := &Runner[M]{o: o, limits: o.Limits.WithDefaults(), rooms: map[string]*entry[M]{}}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.jobs.wake = make(chan struct{}, 1)
	r.done.Go(r.dispatch)
	r.done.Go(r.check)
	return r
}

// Close ends the Runner: calls of the broker that run are cancelled, who waits
// in Open gets broker.ErrClosed, and who waits for an answer to Join gets none.
// It blocks until all goroutines have ended; then no Room is called any more.
// Gone is not told of the rooms that were open, nor is the broker: it is to be
// closed before or afterwards. The second call does nothing.
func (r *Runner[M]) Close() {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel()
	r.done.Wait()
	for _, e := range r.all() {
		e.mu.Lock()
		e.gone = true
		e.mu.Unlock()
	}
	r.mu.Lock()
	r.rooms = nil
	r.mu.Unlock()
}

// Join lets a member into a room, at a position or (zero) for the first time,
// and opens the room if need be. It is answered exactly once by one of the
// Room's Attach, Restart and Refuse, perhaps before Join returns, unless Leave
// or Close comes first.
//
// A member that is attached may join again at any time: it is how one goes on
// that fell behind. One that waits for an answer is not to join again. The
// Runner keeps no list of who is attached: that is the Room's.
//
// broker.ErrBadRoom is returned for a name that no room has, broker.ErrClosed
// after Close; then nothing was done.
func (r *Runner[M]) Join(room string, member M, from broker.Position) error {
	return r.enter(room, func(f *Feed[M], now time.Time) { f.Join(now, member, from) })
}

// Leave cancels a Join that has not been answered yet, and reports whether it
// did: after true the member is not answered. False means that there is
// nothing to cancel: the member was answered, or never joined.
func (r *Runner[M]) Leave(room string, member M) (cancelled bool) {
	if e := r.find(room); e.entry != nil {
		e.mu.Lock()
		cancelled = e.feed.Leave(member)
		e.mu.Unlock()
	}
	return cancelled
}

// Open makes a room live on this node without a member, and returns when it is.
// It costs little if it is live already. It counts as a Join does towards
// Options.Linger.
//
// Besides the errors of Join, the broker's error is returned if it refuses the
// room, and that of ctx if it ends first; a broker that cannot be reached is
// asked until then.
func (r *Runner[M]) Open(ctx context.Context, room string) error {
	var done chan error
	err := r.enter(room, func(f *Feed[M], _ time.Time) {
		if !f.Live() {
			done = make(chan error, 1)
			f.Await(done)
		}
	})
	if err != nil || done == nil {
		return err
	}
	select {
	case err := <-done:
		return err
	case <-r.ctx.Done():
		return broker.ErrClosed
	case <-ctx.Done():
		if e := r.find(room); e.entry != nil {
			e.mu.Lock()
			e.feed.Forget(done)
			e.mu.Unlock()
		}
		return ctx.Err()
	}
}

// Live reports whether a room is open on this node and its messages are emitted
// as they come. It is not while the feed finds out what it missed.
func (r *Runner[M]) Live(room string) bool {
	return r.With(room, func(broker.Position) {})
}

// Known reports whether a room is open on this node: what is recorded from now on
// is emitted, at once or when the feed has found out what it missed.
func (r *Runner[M]) Known(room string) (known bool) {
	r.with(room, func(feed *Feed[M], _ time.Time) { known = feed.Known() })
	return known
}

// With runs f under the room's lock if the room is live, with where it stands:
// everything up to there has been emitted, and nothing after it has begun to be.
// It returns false, without running f, if the room is not live. Like a Room, f
// must not call the Runner.
func (r *Runner[M]) With(room string, f func(top broker.Position)) (ran bool) {
	r.with(room, func(feed *Feed[M], _ time.Time) {
		if feed.Live() {
			f(feed.Top())
			ran = true
		}
	})
	return ran
}

// Top is where a room stands on this node; zero if it is not open.
func (r *Runner[M]) Top(room string) (top broker.Position) {
	r.with(room, func(f *Feed[M], _ time.Time) { top = f.Top() })
	return top
}

// Rooms counts the rooms that are open, or being opened or released.
func (r *Runner[M]) Rooms() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.rooms)
}

// Deliver is the broker.Sink's.
func (r *Runner[M]) Deliver(m broker.Message) {
	r.with(m.Room, func(f *Feed[M], now time.Time) { f.Deliver(now, m) })
}

// Uncertain is the broker.Sink's.
func (r *Runner[M]) Uncertain(scope broker.Scope, _ error) {
	uncertain := func(f *Feed[M], now time.Time) { f.Uncertain(now) }
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
