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
//
// It asks what has changed since the last check but one: a room that was opened
// while the last one was on its way was not asked for, though the mark may be
// from after its first messages.
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
		r.marks[0], r.marks[1] = r.marks[1], next
	}
}

func (r *Runner[M]) checkPart(part []named[M]) (broker.Mark, error) {
	rooms := make([]string, len(part))
	stood := make([]broker.Position, len(part))
	var left []leaver[M]
	for i, e := range part {
		rooms[i] = e.name
		r.do(e, func(f *Feed[M], now time.Time) {
			f.Rest(now)
			stood[i] = f.Top()
			// A call that opens the room must have ended before its release, so it has to
			// be live.
			since := time.Duration(moment(now)-e.used) * time.Millisecond
			if since >= r.o.Linger && f.Live() && !f.Busy() {
				left = append(left, leaver[M]{e, e.used})
			}
		})
	}
	r.jobs.leave(slices.DeleteFunc(left, func(e leaver[M]) bool { return r.o.Keep(e.name) })...)
	asked := r.o.Now()
	ctx, cancel := context.WithTimeout(r.ctx, r.o.Timeout)
	defer cancel()
	changed, reached, err := r.o.Broker.Heads(ctx, rooms, r.marks[0])
	if err != nil {
		return "", err
	}
	heads := byRoom(changed)
	for i, e := range part {
		head, ok := heads[e.name]
		r.do(e, func(f *Feed[M], now time.Time) {
			if ok {
				f.Checked(now, asked, stood[i], head)
			} else {
				f.Unchanged(asked)
			}
		})
	}
	return reached, nil
}
