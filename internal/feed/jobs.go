package feed

import (
	"context"
	"slices"
	"sync"
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

// A job is a request of a room's feed.
type job[M comparable] struct {
	*entry[M]
	Request
}

// jobs are the requests that wait to be done.
type jobs[M comparable] struct {
	wake chan struct{} // has a token if there may be something to do

	mu      sync.Mutex
	ready   []job[M]
	timers  map[*time.Timer]struct{} // of those that are not to be done yet
	stopped bool
}

func (q *jobs[M]) put(e *entry[M], requests []Request) {
	if len(requests) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, request := range requests {
		q.putOne(job[M]{e, request})
	}
}

// putOne is called with the lock held.
func (q *jobs[M]) putOne(j job[M]) {
	switch {
	case q.stopped:
	case j.After > 0:
		var timer *time.Timer
		timer = time.AfterFunc(j.After, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			delete(q.timers, timer)
			j.After = 0
			q.putOne(j)
		})
		if q.timers == nil {
			q.timers = map[*time.Timer]struct{}{}
		}
		q.timers[timer] = struct{}{}
	default:
		q.ready = append(q.ready, j)
		select {
		case q.wake <- struct{}{}:
		default:
		}
	}
}

func (q *jobs[M]) take() []job[M] {
	q.mu.Lock()
	defer q.mu.Unlock()
	ready := q.ready
	q.ready = nil
	return ready
}

func (q *jobs[M]) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped, q.ready = true, nil
	for timer := range q.timers {
		timer.Stop()
	}
	q.timers = nil
}

// dispatch is the goroutine that does the jobs and releases rooms: both, so that
// a room which is opened again is opened after its release.
func (r *Runner[M]) dispatch() {
	slots := make(chan struct{}, callsAtOnce)
	run := func(call func()) bool {
		select {
		case slots <- struct{}{}:
		case <-r.ctx.Done():
			return false
		}
		r.done.Go(func() {
			defer func() { <-slots }()
			call()
		})
		return true
	}
	tick := time.NewTicker(max(r.o.Linger/4, time.Millisecond))
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			r.releaseLeft()
		case <-r.jobs.wake:
			var opens, heads []job[M]
			for _, j := range r.jobs.take() {
				switch j.Kind {
				case AskOpen:
					opens = append(opens, j)
				case AskHead:
					heads = append(heads, j)
				case AskRead:
					if !run(func() { r.read(j) }) {
						return
					}
				}
			}
			for part := range slices.Chunk(opens, batch) {
				if !run(func() { r.open(part) }) {
					return
				}
			}
			for part := range slices.Chunk(heads, batch) {
				if !run(func() { r.heads(part) }) {
					return
				}
			}
		}
	}
}

func (r *Runner[M]) read(j job[M]) {
	ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
	defer cancel()
	page, err := r.o.Broker.Read(ctx, j.name, j.Range)
	r.do(j.entry, func(e *entry[M], now time.Time) { e.feed.Page(j.Serial, now, page, err) })
}

func names[M comparable](of []job[M]) []string {
	names := make([]string, len(of))
	for i, j := range of {
		names[i] = j.name
	}
	return names
}

func (r *Runner[M]) open(of []job[M]) {
	ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
	defer cancel()
	found, err := r.o.Broker.Open(ctx, names(of))
	for i, j := range of {
		var head broker.Head
		if err == nil {
			head = found[i]
		}
		r.do(j.entry, func(e *entry[M], now time.Time) { e.feed.Opened(j.Serial, now, head, err) })
	}
}

func (r *Runner[M]) heads(of []job[M]) {
	ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
	defer cancel()
	found, _, err := r.o.Broker.Heads(ctx, names(of), "")
	heads := byRoom(found)
	for _, j := range of {
		head, ok := heads[j.name]
		err := err
		if err == nil && !ok {
			err = broker.ErrUnavailable // since the zero mark all are owed
		}
		r.do(j.entry, func(e *entry[M], now time.Time) { e.feed.Headed(j.Serial, now, head, err) })
	}
}

func byRoom(heads []broker.Head) map[string]broker.Head {
	m := make(map[string]broker.Head, len(heads))
	for _, h := range heads {
		m[h.Room] = h
	}
	return m
}

// releaseLeft gives back the rooms that have been without members for long
// enough.
func (r *Runner[M]) releaseLeft() {
	var left []string
	now := r.o.Now()
	for _, e := range r.all() {
		e.mu.Lock()
		idle := e.members == 0 && !e.feed.Busy() && now.UnixNano()-e.left >= int64(r.o.Linger)
		// A call that opens it may still run: it must end before the release.
		if idle && e.feed.Live() || e.feed.Closed() {
			e.gone = true
			left = append(left, e.name)
		}
		e.mu.Unlock()
	}
	if len(left) == 0 {
		return
	}
	r.mu.Lock()
	for _, room := range left {
		delete(r.rooms, room)
	}
	r.mu.Unlock()
	r.o.Broker.Release(left)
	if r.o.Gone != nil {
		for _, room := range left {
			r.o.Gone(room)
		}
	}
}

// check is the goroutine that checks the heads of all rooms.
func (r *Runner[M]) check() {
	tick := time.NewTicker(r.o.CheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			r.checkAll()
		}
	}
}

func (r *Runner[M]) checkAll() {
	var next broker.Mark
	complete := true
	for part := range slices.Chunk(r.all(), batch) {
		rooms := make([]string, len(part))
		stood := make([]broker.Position, len(part))
		for i, e := range part {
			rooms[i] = e.name
			r.do(e, func(e *entry[M], now time.Time) {
				e.feed.Rest(now)
				stood[i] = e.feed.Top()
			})
		}
		asked := r.o.Now()
		ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
		changed, reached, err := r.o.Broker.Heads(ctx, rooms, r.mark)
		cancel()
		if err != nil {
			complete = false // asked again from the same mark
			continue
		}
		if next == "" {
			next = reached // the first is the oldest
		}
		heads := byRoom(changed)
		for i, e := range part {
			head, ok := heads[e.name]
			r.do(e, func(e *entry[M], now time.Time) {
				if ok {
					e.feed.Checked(now, asked, stood[i], head)
				} else {
					e.feed.Unchanged(asked)
				}
			})
		}
	}
	if complete && next != "" {
		r.mark = next
	}
}
