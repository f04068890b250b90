package feed

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

type state uint8

const (
	opening state = iota // the head is not known yet
	live                 // what comes next can be emitted
	syncing              // messages are held until the broker has said what is true
)

// A Feed is one room on one node. It must not be used by two goroutines at a
// time. Times given to it must not go back, and are the node's own clock.
type Feed[M comparable] struct {
	room   Room[M]
	limits *Limits
	state  state
	closed bool
	serial uint32 // of the last request; it outlives work, as late answers do

	// top is the position of the last message emitted (or where the room stood
	// when it was opened); topAt, in nanoseconds since 1970, is when the store
	// recorded it, 0 if unknown. Of a top where no message stands it is the offset
	// from which on the room has been empty (broker.Head.Since), 0 if unknown.
	top   broker.Position
	topAt int64
	// verified, in nanoseconds since 1970: all that comes after top was recorded
	// after this time.
	verified int64
	ring     *ring    // nil: empty, its base is top
	work     *work[M] // nil: nothing to be done
}

// work is what a feed has only while something is going on; a quiet room has
// none of it.
type work[M comparable] struct {
	requests []Request // not yet taken by the driver

	// Of the one request that is about the feed itself, while opening or syncing.
	main     uint32
	asked    time.Time // when it was requested
	attempts int       // failed in a row
	until    uint64    // offset that reading must reach
	checked  time.Time // when the head that led to reading was asked for
	doubt    bool      // something became uncertain since the head was requested
	dropped  bool      // something was not held since then, because too much is
	// proven is where a page or a check of heads has shown the room to stand: a head
	// that does not reach it is older. Zero: nothing.
	proven broker.Position
	claims

	held    []held
	arrived int // messages held so far; numbers them
	before  int // arrived, when the last head was requested

	waiting []waiter[M]
	reads   []*missedRead[M]
	openers []chan<- error
}

type held struct {
	broker.Message
	number int
}

// New makes the feed of a room that is not open yet and requests its head. The
// limits, filled by WithDefaults, are shared and not changed.
func New[M comparable](room Room[M], limits *Limits, now time.Time) *Feed[M] {
	f := &Feed[M]{room: room, limits: limits}
	f.ask(AskOpen, now)
	return f
}

// Requests takes what the feed wants of the broker. It is to be called after
// every other method.
func (f *Feed[M]) Requests() []Request {
	w := f.work
	if w == nil {
		return nil
	}
	requests := w.requests
	w.requests = nil
	if f.state == live && len(w.waiting) == 0 && len(w.reads) == 0 {
		f.work = nil
	}
	return requests
}

// Top is where the room stands on this node; zero while it is being opened.
func (f *Feed[M]) Top() broker.Position { return f.top }

// Live reports whether messages are emitted as they come.
func (f *Feed[M]) Live() bool { return f.state == live }

// Known reports whether the room has been opened: whatever is recorded from now on
// is emitted, if not at once.
func (f *Feed[M]) Known() bool { return f.state != opening && !f.closed }

// Closed reports whether the room cannot be opened: the feed is of no more use.
func (f *Feed[M]) Closed() bool { return f.closed }

// Busy reports whether somebody waits for an answer to Join or Await.
func (f *Feed[M]) Busy() bool {
	w := f.work
	return w != nil && (len(w.waiting) > 0 || len(w.reads) > 0 || len(w.openers) > 0)
}

func (f *Feed[M]) atWork() *work[M] {
	if f.work == nil {
		f.work = &work[M]{}
	}
	return f.work
}

func (f *Feed[M]) request(r Request) uint32 {
	f.serial++
	if f.serial == 0 { // none
		f.serial++
	}
	r.Serial = f.serial
	f.work.requests = append(f.work.requests, r)
	return f.serial
}

// ask makes the request that opening or syncing waits for.
func (f *Feed[M]) ask(kind Kind, now time.Time) {
	w := f.atWork()
	r := Request{Kind: kind, After: backoff(w.attempts)}
	if kind == AskRead {
		r.Range = broker.Range{From: f.top, Until: w.until, Enough: true} // what comes later is held
		r.After = 0
	} else {
		w.before, w.doubt, w.dropped = w.arrived, false, false
	}
	w.asked = now
	w.main = f.request(r)
}

// answered says whether an answer is the one that opening or syncing waits for.
func (f *Feed[M]) answered(serial uint32) bool {
	if f.state == live || f.closed || f.work == nil || f.work.main != serial {
		return false
	}
	f.work.main = 0
	return true
}

// fresh forgets the ring: everything begins at this head.
func (f *Feed[M]) fresh(h broker.Head, verified time.Time) {
	f.top, f.topAt, f.ring = h.Position, 0, nil
	switch {
	case h.Position.Tag == 0:
		f.topAt = int64(h.Since)
	case !h.At.IsZero():
		f.topAt = h.At.UnixNano()
	}
	f.verified = verified.UnixNano()
}

// Opened answers AskOpen.
func (f *Feed[M]) Opened(serial uint32, now time.Time, head broker.Head, err error) {
	if !f.answered(serial) {
		return
	}
	w := f.work
	switch {
	case err == nil:
		w.attempts = 0
		f.fresh(head, w.asked)
		f.state = syncing
		f.settle(now)
	case errors.Is(err, broker.ErrClosed), errors.Is(err, broker.ErrBadRoom):
		f.closed = true
		f.work = nil
		for _, j := range w.waiting {
			f.room.Refuse(j.member, err)
		}
		tell(w.openers, err)
	default:
		w.attempts++
		f.ask(AskOpen, now)
	}
}

// Deliver takes a message that the broker brought.
func (f *Feed[M]) Deliver(now time.Time, m broker.Message) {
	switch {
	case f.closed:
	case f.state != live:
		f.hold(m)
	case m.Follows(f.top): // the way of nearly all
		f.emit(m)
	default:
		if place := f.place(&m); place != past {
			f.hold(m)
			f.sync(now)
		}
	}
}

func (f *Feed[M]) hold(m broker.Message) {
	w := f.atWork()
	if len(w.held) >= f.limits.Held {
		w.dropped = true // it is read afterwards
		return
	}
	w.held = append(w.held, held{m, w.arrived})
	w.arrived++
}

func (f *Feed[M]) emit(m broker.Message) {
	if f.ring == nil {
		f.ring = &ring{base: f.top}
		if f.top.Tag == 0 {
			f.ring.since = uint64(f.topAt)
		}
	}
	f.ring.push(m, f.limits)
	f.top, f.topAt = m.Position, m.At.UnixNano()
	f.room.Emit(m)
}

// A place is where a message stands to what was emitted.
type place uint8

const (
	past    place = iota // emitted already, as far as is known
	next                 // follows
	gap                  // comes later: something before it is missing
	forked               // stands where another message was emitted
	foreign              // of another epoch
)

func (f *Feed[M]) place(m *broker.Message) place {
	switch at := m.Position; {
	case at.Epoch != f.top.Epoch:
		return foreign
	case m.Follows(f.top):
		return next
	case at.Offset > f.top.Offset:
		return gap
	case f.known(at) == differs:
		return forked
	}
	// Below the ring nothing can be told. If the store lost so much that its new
	// messages come there, their offsets rise into the ring, or the next head
	// check finds it: whichever is first, all are restarted.
	return past
}

// What is known of a position.
type knowledge uint8

const (
	nothing knowledge = iota // it is older than the ring
	same                     // it is a point of what was emitted
	differs                  // it is not; it may be of another epoch
	beyond                   // it comes after top
)

func (f *Feed[M]) known(p broker.Position) knowledge {
	base, since, kept := f.top, uint64(f.topAt), f.ring.kept()
	if f.ring != nil {
		base, since = f.ring.base, f.ring.since
	}
	switch {
	case p.Epoch != f.top.Epoch:
		return differs
	case p == f.top || p == base:
		return same
	case p.Offset < base.Offset && p.Tag == 0 && base.Tag == 0 && since > 0 && p.Offset >= since:
		return same // the room was empty from there to base
	case p.Offset < base.Offset:
		return nothing
	case p.Tag == 0 && base.Tag == 0 && (len(kept) == 0 || kept[0].Position.Offset > p.Offset):
		return same // two offsets at which the room was empty
	case p.Offset > f.top.Offset:
		return beyond
	}
	if i, ok := f.ring.index(p.Offset); ok && kept[i].Position == p {
		return same
	}
	return differs
}

// after returns the ring's messages after a position that is known to be the same.
func (f *Feed[M]) after(p broker.Position) []broker.Message {
	if p == f.top {
		return nil
	}
	i, ok := f.ring.index(p.Offset)
	if ok {
		i++
	}
	return f.ring.kept()[i:]
}

// drain emits of what is held all that follows, up to the first that does not.
// What stays held shows that something is missing.
func (f *Feed[M]) drain() {
	w := f.work
	slices.SortStableFunc(w.held, func(a, b held) int { return cmp.Compare(a.Position.Offset, b.Position.Offset) })
	kept := w.held[:0]
	stop := false
	for _, h := range w.held {
		late := h.number >= w.before // it came after the head was asked for
		switch place := f.place(&h.Message); {
		case place == past, place == foreign && !late:
		case place == next && late && !stop:
			f.emit(h.Message)
		case place == foreign:
			kept = append(kept, h)
		case late || w.stuck < patience:
			kept = append(kept, h)
			stop = true
			// Or else the broker, asked after it had come, knows no such message: the
			// store has lost it.
		}
	}
	clear(w.held[len(kept):])
	w.held = kept
}

// Rest lets go of what a quiet room need not keep. It is to be called now and
// then.
func (f *Feed[M]) Rest(now time.Time) {
	for len(f.ring.kept()) > 0 && now.Sub(f.ring.kept()[0].At) >= f.limits.RingAge {
		f.ring.drop()
	}
	if f.ring != nil && len(f.ring.kept()) == 0 {
		f.ring = nil
	}
}
