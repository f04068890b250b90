package feed

import (
	"errors"
	"time"

	"github.com/finch-go/finch/broker"
)

// sync holds what comes from now on and asks the broker what is true.
func (f *Feed[M]) sync(now time.Time) {
	if f.state != live {
		return
	}
	f.state = syncing
	f.atWork().attempts, f.work.claims = 0, claims{}
	f.ask(AskHead, now)
}

// again asks the broker anew, later each time.
func (f *Feed[M]) again(now time.Time) {
	f.work.attempts++
	f.ask(AskHead, now)
}

// Uncertain says that messages may have been lost, or the store changed.
func (f *Feed[M]) Uncertain(now time.Time) {
	switch {
	case f.closed:
	case f.state == live:
		f.sync(now)
	default:
		// What came before may be what the store has lost; what it has not lost is
		// read again.
		w := f.atWork()
		w.doubt, w.held = true, nil
		if w.attempts > 0 { // what failed may succeed now: the pause is not waited out
			w.attempts = 0
			if f.state == opening {
				f.ask(AskOpen, now)
			} else {
				f.ask(AskHead, now)
			}
		}
	}
}

// Unchanged says that a head check asked at that time found no change since the
// one before (the room is not among those that broker.Broker.Heads returned).
func (f *Feed[M]) Unchanged(asked time.Time) {
	if f.state == live {
		f.verified = max(f.verified, asked.UnixNano())
	}
}

// Checked brings a head that was asked for without a request, when Top was
// stood.
func (f *Feed[M]) Checked(now, asked time.Time, stood broker.Position, head broker.Head) {
	if f.closed {
		return
	}
	p := head.Position
	if f.state != live {
		// What is being asked now may have been answered before this; and the
		// next check will not tell it again.
		w := f.atWork()
		w.doubt = true
		w.refute(p, f.top)
		f.prove(p)
		return
	}
	if p == f.top || p.Epoch == f.top.Epoch && p.Epoch == stood.Epoch && p.Offset >= stood.Offset && f.known(p) == same {
		f.verified = max(f.verified, asked.UnixNano())
		return
	}
	// Whatever is wrong, it is asked for again while messages are held: this
	// answer was on its way while others were emitted.
	f.sync(now)
	f.prove(p)
}

// prove takes note of a head that others must reach.
func (f *Feed[M]) prove(p broker.Position) {
	w := f.work
	if p.Epoch != f.top.Epoch || p.Offset > f.top.Offset && (p.Epoch != w.proven.Epoch || p.Offset > w.proven.Offset) {
		w.proven = p
	}
}

// Headed answers AskHead.
func (f *Feed[M]) Headed(serial uint32, now time.Time, head broker.Head, err error) {
	if !f.answered(serial) {
		return
	}
	if err != nil {
		f.again(now)
		return
	}
	w, p := f.work, head.Position
	w.refute(p, f.top)
	if f.older(p, now) {
		return
	}
	switch {
	case p.Epoch != f.top.Epoch:
		f.contradicted(now, &w.foreign, head, Forgotten)
	case p == f.top:
		f.verified = w.asked.UnixNano()
		f.settle(now)
	case p.Offset == f.top.Offset:
		f.contradicted(now, &w.forked, head, Forked)
	case p.Offset < f.top.Offset:
		f.contradicted(now, &w.lost, head, Lost)
	default:
		w.checked, w.until = w.asked, p.Offset
		if p.Tag == 0 {
			w.until = 0 // no message stands there
		}
		f.ask(AskRead, now)
	}
}

// Page answers AskRead.
func (f *Feed[M]) Page(serial uint32, now time.Time, page broker.Page, err error) {
	if f.closed || f.work == nil {
		return
	}
	if f.missedPage(serial, now, page, err) || !f.answered(serial) {
		return
	}
	if err != nil {
		f.again(now)
		return
	}
	w := f.work
	w.refute(page.Head, f.top)
	if f.older(page.Head, now) {
		return
	}
	messages, err := page.Follow(f.top, w.until)
	if errors.Is(err, broker.ErrTrimmed) && f.provenByAge(now, page) {
		messages, err = page.FollowUnproven(f.top, w.until)
	}
	head := broker.Head{Position: page.Head}
	switch {
	case err == nil:
		f.caughtUp(now, page, messages)
	case errors.Is(err, broker.ErrForked):
		if page.Head.Epoch != f.top.Epoch {
			f.contradicted(now, &w.foreign, head, Forgotten)
		} else {
			f.contradicted(now, &w.forked, head, Forked)
		}
	case errors.Is(err, broker.ErrTrimmed) && page.Head.Offset >= w.until: // or else it is stale as well
		f.restart(now, head, Trimmed)
	default:
		f.again(now)
	}
}

// caughtUp emits what was missing.
func (f *Feed[M]) caughtUp(now time.Time, page broker.Page, messages []broker.Message) {
	w := f.work
	w.forked = 0
	for _, m := range messages {
		f.emit(m)
	}
	if f.top.Tag == 0 && page.Head.Tag == 0 {
		f.top, f.ring = page.Head, nil // empty as before; the store has counted on
	}
	if f.top.Offset < w.until { // that page was full
		if len(messages) == 0 {
			f.again(now)
			return
		}
		f.ask(AskRead, now)
		return
	}
	f.verified = w.checked.UnixNano()
	f.settle(now)
}

// provenByAge says whether a page proves to follow top although top's message is
// gone. The feed saw top at the head at a time from which nothing can have aged
// out yet, size has pushed out nothing, and top's message is old enough to have
// left by age: then all that came after top is in the page. A tenth of the age is
// left for clocks that differ.
func (f *Feed[M]) provenByAge(now time.Time, page broker.Page) bool {
	if !page.Spare || page.Kept <= 0 || f.top.Tag == 0 || f.topAt == 0 {
		return false
	}
	if len(page.Messages) > 0 {
		if prev := page.Messages[0].Prev; prev != broker.PrevUnknown && prev > f.top.Offset {
			return false // it is known that one is missing
		}
	}
	slack := page.Kept / 10
	return now.Sub(time.Unix(0, f.verified)) < page.Kept-slack &&
		now.Sub(time.Unix(0, f.topAt)) >= page.Kept-slack
}

// restart begins anew at a head: nothing that was emitted holds any more.
func (f *Feed[M]) restart(now time.Time, head broker.Head, why Reason) {
	w := f.work
	f.fresh(head, w.asked)
	f.room.RestartAll(f.top, why)
	for _, r := range w.reads { // they answer a question of the past
		for _, j := range r.waiters {
			j.denied = 0
			w.waiting = append(w.waiting, j)
		}
	}
	w.reads = nil
	w.attempts, w.claims, w.proven = 0, claims{}, broker.Position{}
	f.settle(now)
}

// settle emits what is held, now that top is at the head, and ends the sync if
// that explains everything. In doubt nothing is emitted yet: top may be a message
// that the store has lost since, and what is held may follow another.
func (f *Feed[M]) settle(now time.Time) {
	w := f.work
	if w.doubt {
		w.attempts = 0
		f.ask(AskHead, now)
		return
	}
	before := len(w.held)
	f.drain()
	switch {
	case len(w.held) > 0 && len(w.held) == before:
		w.stuck++
		w.attempts = w.stuck
		f.ask(AskHead, now)
	case len(w.held) > 0 || w.dropped:
		w.attempts, w.stuck = 0, 0
		f.ask(AskHead, now)
	default:
		f.state = live
		w.held, w.proven = nil, broker.Position{}
		tell(w.openers, nil)
		w.openers = nil
		f.admitAll(now)
	}
}
