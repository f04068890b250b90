package feed

import (
	"context"
	"slices"
	"time"

	"github.com/finch-go/finch/broker"
)

// check is the goroutine that looks at all rooms now and then.
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

// checkAll checks the heads of all rooms, and lets those go that nobody needs.
func (r *Runner[M]) checkAll() {
	var next broker.Mark
	complete := true
	for part := range slices.Chunk(r.all(), batch) {
		reached, err := r.checkPart(part)
		switch {
		case err != nil:
			complete = false // asked again from the same mark
		case next == "":
			next = reached // the first is the oldest
		}
	}
	if complete && next != "" {
		r.mark = next
	}
}

func (r *Runner[M]) checkPart(part []*entry[M]) (broker.Mark, error) {
	rooms := make([]string, len(part))
	stood := make([]broker.Position, len(part))
	var idle []leaver[M]
	for i, e := range part {
		rooms[i] = e.name
		r.do(e, func(e *entry[M], now time.Time) {
			e.feed.Rest(now)
			stood[i] = e.feed.Top()
			if e.feed.Live() && !e.feed.Busy() && now.UnixNano()-e.used >= int64(r.o.Linger) {
				idle = append(idle, leaver[M]{e, e.used})
			}
		})
	}
	r.jobs.leave(slices.DeleteFunc(idle, func(l leaver[M]) bool { return r.o.Keep(l.name) })...)
	asked := r.o.Now()
	ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
	defer cancel()
	changed, reached, err := r.o.Broker.Heads(ctx, rooms, r.mark)
	if err != nil {
		return "", err
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
	return reached, nil
}
