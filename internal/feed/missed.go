package feed

import (
	"errors"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

// A missedRead reads from the position of members that the feed cannot judge
// alone: they missed more than the ring has, or claim what the feed does not
// know or knows otherwise. The broker's page says who is right.
type missedRead[M comparable] struct {
	serial  uint32
	from    broker.Position
	until   uint64
	waiters []waiter[M]
}

// readMissed asks the broker about a member. Those with the same position share
// the question, and so do those of an epoch that is not the feed's: an epoch is
// all that is asked of them.
func (f *Feed[M]) readMissed(j waiter[M]) {
	w := f.atWork()
	for _, r := range w.reads {
		if r.from == j.from || r.from.Epoch == j.from.Epoch && j.from.Epoch != f.top.Epoch {
			r.waiters = append(r.waiters, j)
			return
		}
	}
	r := &missedRead[M]{from: j.from, waiters: []waiter[M]{j}}
	w.reads = append(w.reads, r)
	f.askMissed(r, 0)
}

// askMissed asks after n tries that were in vain.
func (f *Feed[M]) askMissed(r *missedRead[M], n int) {
	r.until = 0
	if f.known(r.from) == nothing && f.top.Tag != 0 {
		r.until = f.top.Offset
	}
	r.serial = f.request(Request{
		Kind:  AskRead,
		Range: broker.Range{From: r.from, Until: r.until, Enough: true, Limit: f.limits.Replay + 2}, // the anchor, and one to see that it is too far
		After: backoff(n),
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
	k := f.known(r.from)
	if err == nil {
		w.refute(page.Head, f.top)
	}
	switch {
	case err != nil:
		f.restartEach(f.tired(r), Unavailable)
	case k == same: // the feed has come there meanwhile
		for _, j := range f.finish(r) {
			f.admit(now, j)
		}
	case page.Head.Epoch != f.top.Epoch:
		f.doubt(now, f.finish(r), page.Head)
	case r.from.Epoch != f.top.Epoch:
		f.deny(r, Forgotten)
	case k == nothing:
		f.followed(now, r, page)
	default:
		f.disputed(now, r, page, k)
	}
	return true
}

// followed takes the page of members that stand before the ring.
func (f *Feed[M]) followed(now time.Time, r *missedRead[M], page broker.Page) {
	messages, err := page.Follow(r.from, r.until)
	switch {
	case err == nil:
	case errors.Is(err, broker.ErrForked):
		f.deny(r, Forked)
		return
	case errors.Is(err, broker.ErrTrimmed):
		f.restartEach(f.finish(r), Trimmed)
		return
	default:
		f.unreached(now, r)
		return
	}
	missed, fit := f.splice(r.from, messages)
	switch {
	case fit == spliced:
		for _, j := range f.finish(r) {
			f.replay(j, missed)
		}
	case fit == strange:
		f.doubt(now, f.finish(r), page.Head)
	case page.More:
		f.restartEach(f.finish(r), TooFar)
	default:
		f.unreached(now, r)
	}
}

// disputed takes the page of members that stand where the feed was not, or where
// it saw another message.
func (f *Feed[M]) disputed(now time.Time, r *missedRead[M], page broker.Page, k knowledge) {
	_, err := page.Follow(r.from, 0)
	switch head := page.Head; {
	case err == nil: // the members are right, and the feed is behind
		f.doubt(now, f.finish(r), head)
	case errors.Is(err, broker.ErrStale) && head.Offset >= r.from.Offset: // not a good page
		f.unreached(now, r)
	case k == beyond && head.Offset < r.from.Offset && head.Offset >= f.top.Offset:
		f.deny(r, Ahead)
	case k == differs && head.Offset >= f.top.Offset:
		f.deny(r, Forked)
	default: // the broker has more than the feed, or less
		f.doubt(now, f.finish(r), head)
	}
}

// finish ends a read, and returns who waits for it.
func (f *Feed[M]) finish(r *missedRead[M]) []waiter[M] {
	w := f.work
	w.reads = slices.DeleteFunc(w.reads, func(o *missedRead[M]) bool { return o == r })
	return r.waiters
}

func (f *Feed[M]) restartEach(of []waiter[M], why Reason) {
	for _, j := range of {
		f.room.Restart(j.member, f.top, why)
	}
}

// tired asks again after a try that gave no answer, and returns those for whom
// it has been tried often enough.
func (f *Feed[M]) tired(r *missedRead[M]) []waiter[M] {
	return f.retry(r, readTries, func(j *waiter[M]) int { j.failed++; return j.failed })
}

// unreached asks again after a page that does not reach what the feed has seen.
// If that happens often, the feed makes sure of itself.
func (f *Feed[M]) unreached(now time.Time, r *missedRead[M]) {
	f.doubt(now, f.tired(r), f.top)
}

// deny restarts those whose position the broker has denied so often that it was
// not a stale answer, and asks again for the others.
func (f *Feed[M]) deny(r *missedRead[M], why Reason) {
	denied := f.retry(r, patience, func(j *waiter[M]) int { j.denied++; return j.denied })
	if f.state == live {
		f.restartEach(denied, why)
		return
	}
	for _, j := range denied {
		f.wait(j) // perhaps the feed comes there; if not, one more answer is enough
	}
}

// retry counts a try for each who waits for a read, returns those who have had
// the most that there are, and asks again for the others.
func (f *Feed[M]) retry(r *missedRead[M], most int, count func(*waiter[M]) int) (spent []waiter[M]) {
	var kept []waiter[M]
	tries := 0
	for _, j := range f.finish(r) {
		if n := count(&j); n >= most {
			spent = append(spent, j)
		} else {
			kept = append(kept, j)
			tries = max(tries, n)
		}
	}
	if len(kept) > 0 {
		r.waiters = kept
		f.work.reads = append(f.work.reads, r)
		f.askMissed(r, tries)
	}
	return spent
}

// doubt lets the feed make sure of itself before members are judged anew, because
// a page contradicts it. The page's head is proof of what the broker has.
func (f *Feed[M]) doubt(now time.Time, of []waiter[M], proven broker.Position) {
	if len(of) == 0 {
		return
	}
	f.sync(now)
	f.prove(proven)
	for _, j := range of {
		j.denied, j.failed = 0, 0
		if j.doubts++; j.doubts > admitTries {
			f.room.Restart(j.member, f.top, Unavailable)
		} else {
			f.wait(j)
		}
	}
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
