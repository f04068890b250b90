package feed

import (
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

// A waiter is a member that has not been answered yet.
type waiter[M comparable] struct {
	member M
	from   broker.Position
	doubts int // how often the feed has made sure of itself for it
	denied int // answers since then that say that its position is not of the room's history
	failed int // tries since then that gave no answer
}

// Join lets a member in that stands at from; the zero Position is one that comes
// for the first time. It is answered by one of the Room's Attach, Restart and
// Refuse, now or later, unless Leave comes first. A member that has been answered
// may join again; one that waits may not.
func (f *Feed[M]) Join(now time.Time, member M, from broker.Position) {
	if f.closed {
		f.room.Refuse(member, broker.ErrClosed)
		return
	}
	f.admit(now, waiter[M]{member: member, from: from})
}

// Leave forgets a member that waits, and reports whether it did. One that is
// attached is the Room's alone.
func (f *Feed[M]) Leave(member M) (waited bool) {
	w := f.work
	if w == nil {
		return false
	}
	leaves := func(j waiter[M]) bool {
		waited = waited || j.member == member
		return j.member == member
	}
	w.waiting = slices.DeleteFunc(w.waiting, leaves)
	w.reads = slices.DeleteFunc(w.reads, func(r *missedRead[M]) bool {
		r.waiters = slices.DeleteFunc(r.waiters, leaves)
		return len(r.waiters) == 0
	})
	return waited
}

// Await sends nil to done, now or later, when the feed is live, or the error
// with which the room cannot be opened, unless Forget comes first. It is sent
// once; done must have room for it.
func (f *Feed[M]) Await(done chan<- error) {
	switch {
	case f.closed:
		done <- broker.ErrClosed
	case f.state == live:
		done <- nil
	default:
		w := f.atWork()
		w.openers = append(w.openers, done)
	}
}

// Forget ends an Await.
func (f *Feed[M]) Forget(done chan<- error) {
	if w := f.work; w != nil {
		w.openers = slices.DeleteFunc(w.openers, func(o chan<- error) bool { return o == done })
	}
}

func tell(openers []chan<- error, err error) {
	for _, done := range openers {
		done <- err
	}
}

func (f *Feed[M]) wait(j waiter[M]) {
	w := f.atWork()
	w.waiting = append(w.waiting, j)
}

// admitAll judges all who wait, in their order.
func (f *Feed[M]) admitAll(now time.Time) {
	waiting := f.work.waiting
	f.work.waiting = nil
	for _, j := range waiting {
		f.admit(now, j)
	}
}

// admit judges a member. While syncing only what is good is said: what looks
// wrong may be the feed's fault.
func (f *Feed[M]) admit(now time.Time, j waiter[M]) {
	switch {
	case f.state == opening:
		f.wait(j)
	case j.from.IsZero():
		f.room.Attach(j.member, f.top, nil)
	case f.known(j.from) == same:
		f.replay(j, f.after(j.from))
	case f.state == syncing:
		f.wait(j)
	default:
		f.readMissed(j)
	}
}

// replay attaches a member that missed these messages, the last of which is top.
func (f *Feed[M]) replay(j waiter[M], missed []broker.Message) {
	bytes := 0
	for _, m := range missed {
		bytes += len(m.Data)
	}
	if len(missed) > f.limits.Replay || bytes > f.limits.ReplayBytes {
		f.room.Restart(j.member, f.top, TooFar)
		return
	}
	// A copy: the ring goes on.
	f.room.Attach(j.member, f.top, slices.Clone(missed))
}
