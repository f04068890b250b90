package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/chaos/internal/stage"
)

// settle lets nothing go wrong any more, and waits until all is true again: every
// outcome known, every client at the end of its rooms, everybody told of everybody
// and nobody else, and counts right.
func (r *run) settle(ctx context.Context) {
	r.lossy(0)
	r.world.Settle()
	from := r.now()
	if err := r.recover(ctx); err != nil {
		r.violate("not well", err.Error())
	}
	var unsettled []string
	var told time.Duration
	for r.wait(ctx, 300*time.Millisecond) {
		took := r.now() - from
		unsettled = r.unsettled(from)
		if took > told+5*time.Second {
			told = took
			for _, text := range unsettled {
				r.say("not yet: %s", text)
			}
		}
		if len(unsettled) == 0 || took > settleMost {
			break
		}
	}
	for _, text := range unsettled {
		r.violate("unsettled", fmt.Sprintf("%v after all was quiet: %s", (r.now()-from).Round(time.Second), text))
	}
}

// uneven is how much slower servers hear from each other by one of the connections
// between them, each in its turn, while rooms are opened.
const uneven = 120 * time.Millisecond

// open lets clients come into rooms in which nobody was, when all is quiet.
func (r *run) open(ctx context.Context) {
	if len(r.nodes) < 2 || ctx.Err() != nil {
		return
	}
	slow := func(lane int, by time.Duration) {
		for i := range r.store.Servers() {
			for _, p := range r.store.Routes(i) {
				p.Change(func(s *link.State) { s.Lane, s.Uneven = lane, by })
			}
		}
	}
	lanes := 1
	if r.setting.Routes {
		lanes = link.Lanes
	}
	for lane := range lanes {
		slow(lane, uneven)
		for _, text := range r.world.Newcomers(ctx, lane*r.options.open, r.options.open, r.seed) {
			r.violate("late", text)
		}
		r.opened += r.options.open
	}
	slow(0, 0)
}

// unsettled says what is not true yet, and notes when each thing was true first.
func (r *run) unsettled(from time.Duration) (list []string) {
	note := func(what string, missing ...string) {
		if len(missing) == 0 {
			r.report.settled(what, r.now()-from)
		}
		list = append(list, missing[:min(3, len(missing))]...)
	}
	var pending, behind []string
	for _, p := range r.story.Pending() {
		pending = append(pending, fmt.Sprintf("%s does not know the outcome of %q, begun at %.3f s in %s", p.Publisher, p.Key, p.Begun.Seconds(), p.Room))
	}
	note("every outcome is known", pending...)
	if n := r.story.Behind(); n > 0 {
		behind = append(behind, fmt.Sprintf("%d clients do not stand at the end of a room", n))
	}
	note("every client is at the end of its rooms", behind...)
	note("presence is true", r.crowd.Missing(from)...)
	note("counts are right", r.miscounted()...)
	return list
}

func (r *run) miscounted() (faults []string) {
	want := r.crowd.Counts()
	for _, n := range r.nodes {
		h, err := n.Held(false, false, r.world.Rooms...)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		for _, room := range r.world.Rooms {
			if h.Counts[room] != want[room] {
				faults = append(faults, fmt.Sprintf("node %d counts %d sockets in %s, not %d", n.Index, h.Counts[room], room, want[room]))
			}
		}
	}
	return faults
}

// How much more a node may hold than it did at rest at the start: a connection to
// another server of the store has its goroutines.
const (
	moreGoroutines = 8
	moreFiles      = 4
)

// rested lets the clients leave, and looks whether nodes let go of them.
func (r *run) rested(ctx context.Context) {
	r.crowd.End()
	for _, n := range r.nodes {
		if n.Process().Ended() {
			continue
		}
		h, files, err := r.rest(ctx, n, func(h server.Held, files int) bool {
			return h.Stats.Sockets == 0 && h.Goroutines <= r.resting.Goroutines+moreGoroutines && files <= r.files+moreFiles
		})
		switch {
		case err != nil:
			r.violate("no answer", err.Error())
		case h.Stats.Sockets != 0:
			r.violate("leak", fmt.Sprintf("node %d has %d sockets and no clients", n.Index, h.Stats.Sockets))
		case files > r.files+moreFiles:
			r.violate("leak", fmt.Sprintf("node %d has %d descriptors, and had %d at rest", n.Index, files, r.files))
		case h.Goroutines > r.resting.Goroutines+moreGoroutines:
			with, _ := n.Held(false, true)
			r.violate("leak", fmt.Sprintf("node %d has %d goroutines, and had %d at rest\n%s", n.Index, h.Goroutines, r.resting.Goroutines, commonStacks(with.Stacks)))
		}
		if h.Stats.Panics > 0 {
			r.violate("panic", fmt.Sprintf("node %d: %d callbacks panicked", n.Index, h.Stats.Panics))
		}
		r.examine(n)
	}
	for i, p := range r.store.Servers() {
		if crash := p.Crash(); crash != "" {
			r.violate("crash", fmt.Sprintf("server %d said: %s", i, crash))
		}
	}
}

// examine looks at a node before it ends: whether it has ended by itself, and what
// it said.
func (r *run) examine(n *stage.Node) {
	p := n.Process()
	if p.Ended() {
		r.violate("crash", fmt.Sprintf("node %d has ended by itself:\n%s", n.Index, tailOf(p.Said(), 40)))
	} else if crash := p.Crash(); crash != "" {
		r.violate("crash", fmt.Sprintf("node %d said: %s", n.Index, crash))
	}
	if r.verbose {
		for what, times := range complaints(p.Said()) {
			r.say("%s said %d times: %s", p.Name, times, what)
		}
	}
}

// complaints counts what a node said, by its words, without what differs from one
// client to another.
func complaints(said string) map[string]int {
	counts := map[string]int{}
	for line := range strings.Lines(said) {
		if _, what, ok := strings.Cut(line, "level=ERROR msg="); ok {
			counts[differing.ReplaceAllString(strings.TrimSpace(what), "")]++
		}
	}
	return counts
}

var differing = regexp.MustCompile(` (socket|user|room|address)=("[^"]*"|\S*)`)

func tailOf(text string, lines int) string {
	list := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(list[max(0, len(list)-lines):], "\n")
}

// commonStacks counts goroutines by what they do, the most frequent first.
func commonStacks(stacks string) string {
	counts := map[string]int{}
	for g := range strings.SplitSeq(stacks, "\n\n") {
		lines := strings.Split(g, "\n")
		if len(lines) > 2 {
			created := ""
			if i := strings.LastIndex(g, "created by "); i >= 0 {
				created, _, _ = strings.Cut(g[i:], " in goroutine")
			}
			counts[lines[1]+" … "+created]++
		}
	}
	var b strings.Builder
	for what, n := range counts {
		if n > 1 {
			fmt.Fprintf(&b, "    %3d %s\n", n, what)
		}
	}
	return b.String()
}
