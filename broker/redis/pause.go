package redis

import (
	"context"
	"math/rand/v2"
	"time"
)

// A pause is waited between tries, longer each time up to a bound, and never
// quite the same, so that nodes do not come back all at once.
type pause struct{ shortest, longest, next time.Duration }

func newPause(shortest, longest time.Duration) *pause {
	return &pause{shortest, longest, shortest}
}

func (p *pause) reset() { p.next = p.shortest }

// wait reports false if ctx ended. Something on early ends it before its time; nil
// never does.
func (p *pause) wait(ctx context.Context, early <-chan struct{}) bool {
	t := time.NewTimer(p.next/2 + rand.N(p.next))
	defer t.Stop()
	p.next = min(2*p.next, p.longest)
	select {
	case <-t.C:
		return true
	case <-early:
		return true
	case <-ctx.Done():
		return false
	}
}
