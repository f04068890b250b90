package main

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/finch-go/finch/chaos/internal/fault"
	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/stage"
	"github.com/finch-go/finch/chaos/internal/story"
)

// suffer goes through one lane of faults. An error means that the stage is broken,
// and nothing can be judged.
func (r *run) suffer(ctx context.Context, plan []fault.Fault) error {
	for _, f := range plan {
		if !r.wait(ctx, f.After) {
			return ctx.Err()
		}
		if r.now() > r.length {
			return nil // the store took longer to be well again than was planned
		}
		r.say("%v", f)
		end := r.story.Troubled(r.now())
		if !f.Kind.OfNodes() {
			r.shaken.Store(math.MaxInt64)
		}
		err := r.do(ctx, f)
		if !f.Kind.OfNodes() {
			r.shaken.Store(int64(r.now()))
		}
		end(r.now())
		if err != nil {
			return fmt.Errorf("%v: %w", f, err)
		}
		r.mu.Lock()
		r.report.faults[f.Kind]++
		r.mu.Unlock()
	}
	return nil
}

func (r *run) say(format string, args ...any) {
	if r.verbose {
		fmt.Fprintf(r.out, "%8.3fs %s\n", r.now().Seconds(), fmt.Sprintf(format, args...))
	}
}

// wait waits; false if the run ends.
func (r *run) wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// do lets one fault happen, and end.
func (r *run) do(ctx context.Context, f fault.Fault) error {
	switch f.Kind {
	case fault.NodeKill, fault.NodePause, fault.NodeDrain:
		return r.hurtNode(ctx, f)
	case fault.ServerKill, fault.LeaderKill, fault.ServerPause, fault.StoreDown:
		return r.hurtServer(ctx, f)
	case fault.MasterKill, fault.MasterPause, fault.MasterLag:
		return r.failOver(ctx, f)
	case fault.Rollback:
		return r.rollBack(ctx, f)
	case fault.RouteCut:
		return r.hurtLinks(ctx, f, r.store.Routes(f.Target))
	}
	links := r.store.Links(f.Other)
	if f.Kind == fault.LinkCut || f.Kind == fault.LinkHalf {
		links = links[f.Target : f.Target+1]
	}
	return r.hurtLinks(ctx, f, links)
}

func (r *run) hurtNode(ctx context.Context, f fault.Fault) error {
	n := r.nodes[f.Target]
	switch f.Kind {
	case fault.NodePause:
		if err := n.Process().Pause(); err != nil {
			return err
		}
		r.wait(ctx, f.For)
		return n.Process().Resume()
	case fault.NodeKill:
		r.timeResumes(ctx, f.Target)
		r.examine(n)
		n.Process().Kill()
		r.wait(ctx, f.For)
	case fault.NodeDrain:
		r.examine(n)
		life, from := n.Process(), r.now()
		if err := life.Stop(12 * time.Second); err != nil && !r.mayEndLate(life, from) {
			r.violate("bad end", fmt.Sprintf("node %d was told to stop: %v\n%s", f.Target, err, tailOf(life.Said(), 10)))
		}
		r.wait(ctx, f.For)
	}
	err := n.Start(f.Flag)
	r.restarted()
	if r.broker == "memory" {
		r.story.Lost(story.Loss{Until: r.now(), Slack: 300 * time.Millisecond})
	}
	r.timeService(ctx, n)
	return err
}

// mayEndLate tells whether a node that was told to stop may say that its time was
// over: its handlers wait for a store that is in trouble, and Shutdown ends them with
// its context.
func (r *run) mayEndLate(life *stage.Process, from time.Duration) bool {
	return strings.Contains(life.Said(), "context deadline exceeded") && r.shaken.Load() >= int64(from-shakenFor)
}

// shakenFor is how long after a fault of the store a node may still wait for it: an
// answer that was lost is waited for, and leaders are elected.
const shakenFor = 10 * time.Second

// serveMost is how long a node that was started may not serve: longer than any
// fault, and than a node of the same name waits for the lease of the one before.
const serveMost = 40 * time.Second

// timeService measures how long a node that was started takes to reach the store.
func (r *run) timeService(ctx context.Context, n *stage.Node) {
	life, from := n.Process(), r.now()
	go func() {
		for r.wait(ctx, 50*time.Millisecond) && n.Process() == life && !life.Ended() {
			_, err := n.Held(false, false, r.world.Rooms[0])
			took := r.now() - from
			switch {
			case err == nil:
				r.mu.Lock()
				r.report.services = append(r.report.services, took)
				r.mu.Unlock()
				return
			case took > serveMost:
				r.violate("no service", fmt.Sprintf("%s does not serve %v after its start: %v", life.Name, serveMost, err))
				return
			}
		}
	}()
}

// timeResumes measures how long clients of a node take to be elsewhere, or here
// again.
func (r *run) timeResumes(ctx context.Context, node int) {
	there := r.crowd.On(node)
	if len(there) < 4 {
		return
	}
	from := r.now()
	go func() {
		for left := there; r.wait(ctx, 20*time.Millisecond); {
			var still []func() bool
			for _, moved := range left {
				if !moved() {
					still = append(still, moved)
				}
			}
			left = still
			if took := r.now() - from; len(left)*100 <= len(there) || took > 30*time.Second {
				r.mu.Lock()
				r.report.resumes = append(r.report.resumes, took)
				r.mu.Unlock()
				return
			}
		}
	}()
}

func (r *run) hurtServer(ctx context.Context, f fault.Fault) error {
	if masters, ok := r.store.(stage.Replicated); ok && f.Kind != fault.StoreDown {
		replica, err := masters.Replica(ctx, f.Other)
		if err != nil {
			return err
		}
		f.Target = replica // what a master suffers has names of its own
	}
	targets := []int{f.Target}
	switch f.Kind {
	case fault.LeaderKill:
		if leader := r.store.Leader(ctx, f.Other); leader >= 0 {
			targets[0] = leader
		}
	case fault.StoreDown:
		targets = targets[:0]
		for i := range r.store.Servers() {
			targets = append(targets, i)
		}
	case fault.ServerPause:
		p := r.store.Servers()[f.Target]
		if err := p.Pause(); err != nil {
			return err
		}
		r.wait(ctx, f.For)
		if err := p.Resume(); err != nil {
			return err
		}
		return r.recover(ctx)
	}
	from := r.now()
	for _, i := range targets {
		r.store.Servers()[i].Kill()
	}
	r.wait(ctx, f.For)
	for _, i := range targets {
		if err := r.store.Restart(i); err != nil {
			return err
		}
	}
	r.restarted()
	err := r.recover(ctx)
	r.mu.Lock()
	r.report.outages = append(r.report.outages, outage{f.Kind, from, r.now()})
	r.mu.Unlock()
	return err
}

// restarted tells the story that a server has been started which knows keys by the
// messages on its disk alone: those of JetStream.
func (r *run) restarted() {
	if r.broker == "nats" || r.broker == "embedded" {
		r.story.Restarted(r.now())
	}
}

// recover waits until the store is whole again, so that the next fault does not
// take more from it than it can bear.
func (r *run) recover(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return r.store.Well(ctx)
}

func (r *run) hurtLinks(ctx context.Context, f fault.Fault, links []*link.Proxy) error {
	change := func(s *link.State) {
		switch f.Kind {
		case fault.LinkSlow:
			s.Delay = 60 * time.Millisecond
		case fault.LinkHalf:
			s.StopToward, s.StopBack = f.Flag, !f.Flag
		case fault.LinkLossy:
			s.Lose = 0.25
		default:
			s.Cut = true
		}
	}
	for _, p := range links {
		p.Change(change)
	}
	r.wait(ctx, f.For)
	for _, p := range links {
		p.Set(link.State{Lose: r.lose})
	}
	if f.Kind == fault.RouteCut {
		return r.recover(ctx)
	}
	return nil
}

// rollBack puts the store back to what it was a few seconds ago.
func (r *run) rollBack(ctx context.Context, f fault.Fault) error {
	var alone *stage.Node // the node that has the store inside it
	if len(r.store.Servers()) == 0 {
		alone = r.nodes[0]
		if err := alone.Process().Pause(); err != nil {
			return err
		}
	}
	loss := story.Loss{After: r.now(), Slack: 1500 * time.Millisecond}
	err := r.store.Save(ctx)
	if alone != nil {
		alone.Process().Resume()
	}
	if err != nil || !r.wait(ctx, 2*loss.Slack+f.For) {
		return err
	}
	if alone != nil {
		r.examine(alone)
		alone.Process().Kill()
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err = r.store.Restore(ctx, func() { loss.Until = r.now() })
	r.story.Lost(loss)
	if alone != nil && err == nil {
		err = alone.Start(true)
	}
	r.restarted()
	r.say("the store has forgotten what came between %.3f s and %.3f s", loss.After.Seconds(), loss.Until.Seconds())
	return err
}
