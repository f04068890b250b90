package feed

import (
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// An entry is a room that is open, or is going to be. There is one for each room,
// so it is small: 112 bytes where pointers have 64 bits.
type entry[M comparable] struct {
	mu   sync.Mutex
	feed Feed[M] // its Room is nil until the broker is asked to open it
	used uint32  // moment at which it was last joined or opened
	gone bool    // it is not in the map any more, and is of no more use
}

// A named entry knows its room. The map has the name already, and entries do not
// keep it a second time.
type named[M comparable] struct {
	name string
	*entry[M]
}

// A leaver is an entry that was found to be left, if it was not used since then.
type leaver[M comparable] struct {
	named[M]
	used uint32
}

// moment is a time in milliseconds, modulo 50 days: a room that was left for so
// long, without being released, lingers once more.
func moment(t time.Time) uint32 { return uint32(t.UnixMilli()) }

// find returns the room's entry, nil if there is none.
func (r *Runner[M]) find(room string) named[M] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return named[M]{room, r.rooms[room]}
}

// findOrMake returns the room's entry, new if need be, and nil after Close.
func (r *Runner[M]) findOrMake(room string) named[M] {
	r.mu.RLock()
	e, closed := r.rooms[room], r.closed
	r.mu.RUnlock()
	if e == nil && !closed {
		e = r.add(room)
	}
	return named[M]{room, e}
}

func (r *Runner[M]) add(room string) *entry[M] {
	made := &entry[M]{feed: *New[M](nil, &r.limits, r.o.Now())}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch e := r.rooms[room]; {
	case r.closed:
		return nil
	case e != nil:
		return e
	}
	r.rooms[room] = made
	return made
}

// all returns every entry, in no order.
func (r *Runner[M]) all() []named[M] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]named[M], 0, len(r.rooms))
	for room, e := range r.rooms {
		all = append(all, named[M]{room, e})
	}
	return all
}

// enter lets f work on a room's feed, and opens the room if it is not open.
func (r *Runner[M]) enter(room string, f func(*Feed[M], time.Time)) error {
	if len(room) == 0 || len(room) > broker.MaxRoom {
		return broker.ErrBadRoom // one such name would fail the others of its batch
	}
	for {
		e := r.findOrMake(room)
		if e.entry == nil {
			return broker.ErrClosed
		}
		if r.enterEntry(e, f) {
			return nil
		} // it went just now; it is not in the map any more
	}
}

func (r *Runner[M]) enterEntry(e named[M], f func(*Feed[M], time.Time)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return false
	}
	now := r.o.Now()
	e.used = moment(now)
	f(&e.feed, now)
	r.jobs.put(e, e.feed.Requests())
	return true
}

// with lets f work on the feed of a room that is open.
func (r *Runner[M]) with(room string, f func(*Feed[M], time.Time)) {
	if e := r.find(room); e.entry != nil {
		r.do(e, f)
	}
}

// do lets f work on an entry's feed, and takes the requests that come of it.
func (r *Runner[M]) do(e named[M], f func(*Feed[M], time.Time)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return
	}
	f(&e.feed, r.o.Now())
	r.jobs.put(e, e.feed.Requests())
}
