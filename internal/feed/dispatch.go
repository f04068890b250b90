package feed

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

const (
	// batch is how many rooms one Open or Heads asks for; a cluster answers a
	// thousand in a few milliseconds.
	batch = 1000
	// callsAtOnce bounds the calls of the broker that run at a time, so that a
	// storm of returning members queues here and not in the broker.
	callsAtOnce = 32
)

// dispatch is the goroutine that does the jobs and releases rooms: both, so that
// a room which is opened again is opened after its release.
func (r *Runner[M]) dispatch() {
	slots := make(chan struct{}, callsAtOnce)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-r.jobs.wake:
		case <-timer.C:
		}
		ready, left, next := r.jobs.take()
		timer.Reset(next)
		r.release(left)
		for _, call := range r.calls(ready) {
			select {
			case slots <- struct{}{}:
			case <-r.ctx.Done():
				return
			}
			r.done.Go(func() {
				defer func() { <-slots }()
				ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
				defer cancel()
				call(ctx)
			})
		}
	}
}

// calls makes of jobs the calls of the broker that do them.
func (r *Runner[M]) calls(ready []job[M]) (calls []func(context.Context)) {
	var opens, heads []job[M]
	for _, j := range ready {
		switch j.Kind {
		case AskOpen:
			r.furnish(j.named)
			opens = append(opens, j)
		case AskHead:
			heads = append(heads, j)
		case AskRead:
			calls = append(calls, func(ctx context.Context) { r.read(ctx, j) })
		}
	}
	for part := range slices.Chunk(opens, batch) {
		calls = append(calls, func(ctx context.Context) { r.open(ctx, part) })
	}
	for part := range slices.Chunk(heads, batch) {
		calls = append(calls, func(ctx context.Context) { r.heads(ctx, part) })
	}
	return calls
}

// furnish gives the feed of a room its Room before it is opened, and so after the
// one of that name before it is gone. Only the goroutine that dispatches sets it,
// so only that one may look without the lock.
func (r *Runner[M]) furnish(e named[M]) {
	if e.feed.room != nil {
		return
	}
	room := r.o.Room(e.name)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.feed.room = room
}

func names[M comparable](of []job[M]) []string {
	names := make([]string, len(of))
	for i, j := range of {
		names[i] = j.name
	}
	return names
}

func (r *Runner[M]) open(ctx context.Context, of []job[M]) {
	found, err := r.o.Broker.Open(ctx, names(of))
	if len(of) > 1 && errors.Is(err, broker.ErrBadRoom) {
		for i := range of { // one of them
			r.open(ctx, of[i:i+1])
		}
		return
	}
	for i, j := range of {
		var head broker.Head
		if err == nil {
			head = found[i]
		}
		r.do(j.named, func(f *Feed[M], now time.Time) {
			f.Opened(j.Serial, now, head, err)
			if f.Closed() {
				r.jobs.leave(leaver[M]{named: j.named})
			}
		})
	}
}

func (r *Runner[M]) heads(ctx context.Context, of []job[M]) {
	found, _, err := r.o.Broker.Heads(ctx, names(of), "")
	heads := byRoom(found)
	for _, j := range of {
		head, ok := heads[j.name]
		err := err
		if err == nil && !ok {
			err = broker.ErrUnavailable // since the zero mark all are owed
		}
		r.do(j.named, func(f *Feed[M], now time.Time) { f.Headed(j.Serial, now, head, err) })
	}
}

func (r *Runner[M]) read(ctx context.Context, j job[M]) {
	page, err := r.o.Broker.Read(ctx, j.name, j.Range)
	r.do(j.named, func(f *Feed[M], now time.Time) { f.Page(j.Serial, now, page, err) })
}

func byRoom(heads []broker.Head) map[string]broker.Head {
	m := make(map[string]broker.Head, len(heads))
	for _, h := range heads {
		m[h.Room] = h
	}
	return m
}

// release gives back rooms that were left, those apart that somebody came to
// since.
func (r *Runner[M]) release(left []leaver[M]) {
	var names []string
	for _, e := range left {
		if r.remove(e) {
			names = append(names, e.name)
		}
	}
	if len(names) == 0 {
		return
	}
	r.o.Broker.Release(names)
	for _, name := range names {
		r.o.Gone(name)
	}
}

// remove takes an entry out of the map, unless somebody came to it since it was
// found to be left. Who comes now makes another, which waits for the goroutine
// that is here.
func (r *Runner[M]) remove(e leaver[M]) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone || e.entry.used != e.used && !e.feed.Closed() {
		return false
	}
	e.gone = true
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.rooms, e.name)
	return true
}
