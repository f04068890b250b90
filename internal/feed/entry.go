package feed

import (
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// An entry is a room that is in the Runner's map. It is there before the room is
// opened, and until it has been released, so that its opening and release follow
// each other.
type entry[M comparable] struct {
	name string

	mu      sync.Mutex
	feed    Feed[M]
	used    int64 // when it was last joined or opened, in nanoseconds since 1970
	leaving bool  // it is being released; who joins waits until it is opened again
	gone    bool  // it is not in the map any more
}

// find returns the room's entry, nil if there is none.
func (r *Runner[M]) find(room string) *entry[M] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.rooms[room]
}

// findOrMake returns the room's entry, new if need be, and nil after Close.
func (r *Runner[M]) findOrMake(room string) *entry[M] {
	r.mu.RLock()
	e, closed := r.rooms[room], r.closed
	r.mu.RUnlock()
	if e != nil && !closed {
		return e
	}
	made := &entry[M]{name: room, feed: Feed[M]{limits: &r.limits}}
	made.feed.begin(r.o.Now())
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
func (r *Runner[M]) all() []*entry[M] {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]*entry[M], 0, len(r.rooms))
	for _, e := range r.rooms {
		all = append(all, e)
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
		if e == nil {
			return broker.ErrClosed
		}
		if r.enterEntry(e, f) {
			return nil
		} // it went just now; it is not in the map any more
	}
}

func (r *Runner[M]) enterEntry(e *entry[M], f func(*Feed[M], time.Time)) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return false
	}
	now := r.o.Now()
	e.used = now.UnixNano()
	f(&e.feed, now)
	if !e.leaving {
		r.jobs.put(e, e.feed.Requests())
	}
	return true
}

// with lets f work on a room that is open.
func (r *Runner[M]) with(room string, f func(*entry[M], time.Time)) {
	if e := r.find(room); e != nil {
		r.do(e, f)
	}
}

// do lets f work on an entry, and takes the requests that come of it.
func (r *Runner[M]) do(e *entry[M], f func(*entry[M], time.Time)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone || e.leaving {
		return
	}
	f(e, r.o.Now())
	r.jobs.put(e, e.feed.Requests())
}
