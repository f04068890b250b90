package brokertest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

// A follower is a sink that follows rooms as whoever stands on a broker must: it
// drops what it has, takes what follows, reads what is missing, looks again when
// it is told to be uncertain and every now and then, and begins anew where the
// store cannot prove that nothing is missing.
type follower struct {
	Inbox
	b    broker.Broker
	stop chan struct{}
	done chan struct{}

	wake chan struct{}

	mu      sync.Mutex
	arrived []broker.Message
	dirty   bool // all rooms are to be looked at
	rooms   map[string]*followed
	names   []string
}

// A followed room is what a follower has of one.
type followed struct {
	top    broker.Position
	begun  broker.Position // where it began, or began anew
	seen   []broker.Message
	resets int
}

// lookAgain is how often a follower looks at all heads: a lost last message of a
// quiet room shows in no other way.
const lookAgain = time.Second

func newFollower(b broker.Broker) *follower {
	f := &follower{b: b, stop: make(chan struct{}), done: make(chan struct{}), wake: make(chan struct{}, 1), rooms: map[string]*followed{}}
	return f
}

// Deliver keeps a message until the follower comes to it.
func (f *follower) Deliver(m broker.Message) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.arrived = append(f.arrived, m)
	f.stir()
}

// Uncertain makes the follower look at all rooms.
func (f *follower) Uncertain(scope broker.Scope, why error) {
	f.Inbox.Uncertain(scope, why)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirty = true
	f.stir()
}

func (f *follower) stir() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// follow opens rooms and follows them until stop is closed.
func (f *follower) follow(ctx context.Context, rooms []string) error {
	heads, err := f.b.Open(ctx, rooms)
	if err != nil {
		return err
	}
	f.mu.Lock()
	f.names = rooms
	for _, h := range heads {
		f.rooms[h.Room] = &followed{top: h.Position, begun: h.Position}
	}
	f.mu.Unlock()
	go f.run(ctx)
	return nil
}

func (f *follower) run(ctx context.Context) {
	defer close(f.done)
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	var mark broker.Mark
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
			f.mu.Lock()
			f.dirty = true
			f.mu.Unlock()
		case <-f.wake:
		}
		f.mu.Lock()
		arrived, dirty := f.arrived, f.dirty
		f.arrived, f.dirty = nil, false
		f.mu.Unlock()
		behind := map[string]uint64{}
		for _, m := range arrived {
			if r := f.rooms[m.Room]; r != nil && !f.take(r, m) {
				behind[m.Room] = max(behind[m.Room], m.Position.Offset)
			}
		}
		if dirty {
			changed, next, err := f.b.Heads(ctx, f.names, mark)
			if err == nil {
				mark = next
				for _, h := range changed {
					if h.Position != f.rooms[h.Room].top {
						behind[h.Room] = max(behind[h.Room], h.Position.Offset)
					}
				}
			} else {
				f.mu.Lock()
				f.dirty = true // with the next tick, or message
				f.mu.Unlock()
			}
		}
		for room, until := range behind {
			if !f.catchUp(ctx, room, until) {
				mark = "" // look at it again
			}
		}
	}
}

// take adds a message that follows, and reports whether nothing is missing.
func (f *follower) take(r *followed, m broker.Message) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if m.Position.Epoch == r.top.Epoch && m.Position.Offset <= r.top.Offset {
		return m.Position.Offset < r.top.Offset || m.Position == r.top
	}
	if !m.Follows(r.top) {
		return false
	}
	r.seen, r.top = append(r.seen, m), m.Position
	return true
}

// catchUp reads what is missing of a room; false: it is to be tried again.
func (f *follower) catchUp(ctx context.Context, room string, until uint64) bool {
	r := f.rooms[room]
	for {
		page, err := f.b.Read(ctx, room, broker.Range{From: r.top, Until: until})
		if err != nil {
			return false
		}
		after, err := page.Follow(r.top, 0)
		f.mu.Lock()
		switch {
		case errors.Is(err, broker.ErrStale) && page.Head.Offset < r.top.Offset && page.Head.Epoch == r.top.Epoch,
			errors.Is(err, broker.ErrForked), errors.Is(err, broker.ErrTrimmed):
			*r = followed{top: page.Head, begun: page.Head, resets: r.resets + 1}
		case err != nil:
			f.mu.Unlock()
			return false
		default:
			for _, m := range after {
				r.seen, r.top = append(r.seen, m), m.Position
			}
		}
		f.mu.Unlock()
		if !page.More || err != nil {
			return true
		}
	}
}

// state is a copy of what the follower has of a room.
func (f *follower) state(room string) followed {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.rooms[room]
}
