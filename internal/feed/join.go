package feed

import (
	"errors"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

// A waiter is a member that has not been answered yet.
type waiter[M comparable] struct {
	member M
	from   broker.Position
	tries  int
}

// A missedRead reads what members missed who returned with the same position.
type missedRead[M comparable] struct {
	serial  uint32
	from    broker.Position
	until   uint64
	tries   int
	waiters []waiter[M]
}

// Join lets a member in that stands at from; the zero Position is one that comes
// for the first time. It is answered by one of the Room's Attach, Restart and
// Refuse, now or later, unless Leave comes first. A member joins once at a time.
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
	p := j.from
	if f.state == opening {
		f.wait(j)
		return
	}
	if p.IsZero() {
		f.room.Attach(j.member, f.top, nil)
		return
	}
	k := differs
	if p.Epoch == f.top.Epoch {
		k = f.known(p)
	}
	switch {
	case k == same:
		f.replay(j, f.after(p))
	case f.state == syncing:
		f.wait(j)
	case k == nothing:
		f.readMissed(j)
	case j.tries == 0:
		f.askFirst(now, j) // the member may know more than this node
	case p.Epoch != f.top.Epoch:
		f.room.Restart(j.member, f.top, Forgotten)
	case k == beyond:
		f.room.Restart(j.member, f.top, Ahead)
	default:
		f.room.Restart(j.member, f.top, Forked)
	}
}

// askFirst makes the feed sure of itself before it judges a member.
func (f *Feed[M]) askFirst(now time.Time, j waiter[M]) {
	j.tries++
	f.wait(j)
	f.sync(now)
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

// readMissed asks the broker for what a member missed that the ring does not
// have. Members with the same position share the question.
func (f *Feed[M]) readMissed(j waiter[M]) {
	w := f.atWork()
	for _, r := range w.reads {
		if r.from == j.from {
			r.waiters = append(r.waiters, j)
			return
		}
	}
	r := &missedRead[M]{from: j.from, waiters: []waiter[M]{j}}
	w.reads = append(w.reads, r)
	f.askMissed(r)
}

func (f *Feed[M]) askMissed(r *missedRead[M]) {
	r.until = 0
	if f.top.Tag != 0 {
		r.until = f.top.Offset
	}
	r.serial = f.request(Request{
		Kind:  AskRead,
		Range: broker.Range{From: r.from, Until: r.until, Limit: f.limits.Replay + 2}, // the anchor, and one to see that it is too far
		After: backoff(r.tries),
	})
}

// missedPage takes an answer if it is to a missedRead.
func (f *Feed[M]) missedPage(serial uint32, now time.Time, page broker.Page, err error) bool {
	w := f.work
	i := slices.IndexFunc(w.reads, func(r *missedRead[M]) bool { return r.serial == serial })
	if i < 0 {
		return false
	}
	r := w.reads[i]
	done := func(answer func(waiter[M])) {
		w.reads = slices.Delete(w.reads, i, i+1)
		for _, j := range r.waiters {
			answer(j)
		}
	}
	restart := func(why Reason) {
		done(func(j waiter[M]) { f.room.Restart(j.member, f.top, why) })
	}
	again := func() {
		if r.tries++; r.tries < readTries {
			f.askMissed(r)
			return
		}
		restart(Unavailable)
	}
	if err != nil {
		again()
		return true
	}
	messages, err := page.Follow(r.from, r.until)
	switch {
	case err == nil:
	case page.Head.Epoch != f.top.Epoch:
		done(func(j waiter[M]) { f.judgeAgain(now, j) })
		return true
	case errors.Is(err, broker.ErrForked):
		restart(Forked)
		return true
	case errors.Is(err, broker.ErrTrimmed):
		restart(Trimmed)
		return true
	default:
		again()
		return true
	}
	missed, fit := f.splice(r.from, messages)
	switch {
	case fit == spliced:
		done(func(j waiter[M]) { f.replay(j, missed) })
	case fit == strange:
		done(func(j waiter[M]) { f.judgeAgain(now, j) })
	case page.More:
		restart(TooFar)
	default:
		again()
	}
	return true
}

// judgeAgain is for a member whose page the feed contradicts: one of the two is
// wrong, so the feed makes sure of itself first.
func (f *Feed[M]) judgeAgain(now time.Time, j waiter[M]) {
	if j.tries >= admitTries {
		f.room.Restart(j.member, f.top, Unavailable)
		return
	}
	f.askFirst(now, j)
}

type fit uint8

const (
	spliced fit = iota // it reaches top
	short              // it ends before the ring begins
	strange            // it does not contain what was emitted
)

// splice joins the messages that follow from, as the broker has them, with those
// of the ring, up to top and not beyond: the rest will be emitted.
func (f *Feed[M]) splice(from broker.Position, messages []broker.Message) ([]broker.Message, fit) {
	end := len(messages)
	for end > 0 && messages[end-1].Position.Offset > f.top.Offset {
		end--
	}
	passes := end < len(messages)
	messages = messages[:end]
	last := from
	if end > 0 {
		last = messages[end-1].Position
	}
	switch k := f.known(last); {
	case passes && last != f.top && f.top.Tag != 0:
		return nil, strange // the broker does not have top
	case k == same:
		return slices.Concat(messages, f.after(last)), spliced
	case end == 0 && f.top.Tag == 0:
		return nil, spliced // nothing came up to top, where nothing stands
	case k == nothing && !passes:
		return nil, short
	}
	return nil, strange
}
