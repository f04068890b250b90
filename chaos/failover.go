package main

import (
	"context"
	"sync"
	"time"

	"github.com/finch-go/finch/chaos/internal/fault"
	"github.com/finch-go/finch/chaos/internal/stage"
	"github.com/finch-go/finch/chaos/internal/story"
)

// lossSlack is how uncertain the times of a loss are; see [story.Loss].
const lossSlack = 1500 * time.Millisecond

// promoteMost is how long servers may take to make a replica the master.
const promoteMost = 40 * time.Second

// failOver takes a master away until a replica is the master instead.
func (r *run) failOver(ctx context.Context, f fault.Fault) error {
	masters := r.store.(stage.Replicated)
	old, err := masters.Master(ctx, f.Other)
	if err != nil {
		return err
	}
	from := r.now()
	switch f.Kind {
	case fault.MasterPause:
		err = masters.Servers()[old].Pause()
	case fault.MasterKill:
		masters.Servers()[old].Kill()
	case fault.MasterLag:
		err = r.leaveBehind(ctx, masters, old, f.For)
	}
	if err == nil {
		err = r.promoted(ctx, masters, old)
	}
	switch {
	case err != nil || !r.wait(ctx, f.For):
		return err
	case f.Kind == fault.MasterPause:
		err = masters.Servers()[old].Resume()
	default:
		if err = masters.Release(ctx); err == nil {
			err = masters.Restart(old)
		}
	}
	if err != nil {
		return err
	}
	err = r.recover(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.outages = append(r.report.outages, outage{f.Kind, from, r.now()})
	return err
}

func (r *run) promoted(ctx context.Context, masters stage.Replicated, old int) error {
	ctx, cancel := context.WithTimeout(ctx, promoteMost)
	defer cancel()
	return masters.Promoted(ctx, old)
}

// leaveBehind lets a master acknowledge what no replica gets, for longer than the
// ends of that time are uncertain, and kills it then.
func (r *run) leaveBehind(ctx context.Context, masters stage.Replicated, old int, more time.Duration) error {
	keeps, err := masters.Keeps(ctx, old)
	if err != nil {
		return err
	}
	loss := story.Loss{After: r.now(), Slack: lossSlack, Rooms: keeps}
	if err := masters.Hold(ctx, old); err != nil || !r.wait(ctx, 2*lossSlack+more) {
		return err
	}
	masters.Servers()[old].Kill()
	loss.Until = r.now()
	r.story.Lost(loss)
	r.say("r%d has taken with it what came between %.3f s and %.3f s", old, loss.After.Seconds(), loss.Until.Seconds())
	return nil
}

// watchMasters notes in the story when a replica has taken over, on purpose or
// because the servers thought that they had to: then the end of what the old master
// had acknowledged may be lost, and what it acknowledged to whoever did not know
// yet. The answer ends the watch.
func (r *run) watchMasters(ctx context.Context) (end func()) {
	masters, ok := r.store.(stage.Replicated)
	if !ok {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() {
		before, well := "", r.now() // when these were last the masters, and nobody else
		for r.wait(ctx, 100*time.Millisecond) {
			at := r.now()
			now, settled := masters.Claims(ctx)
			if !settled || ctx.Err() != nil {
				continue
			}
			if before != "" && now != before {
				r.story.Lost(story.Loss{After: well, Until: r.now(), Slack: lossSlack, Perhaps: true})
				r.say("the masters were%s and are%s: something may be lost since %.3f s", before, now, well.Seconds())
			}
			before, well = now, at
		}
	})
	return func() { cancel(); watch.Wait() }
}
