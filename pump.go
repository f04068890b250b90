package finch

import (
	"runtime"
	"sync/atomic"

	"github.com/finch-go/finch/internal/hub"
)

// pump runs the steps of the hub: goroutines that exist only while there is
// work, one per core at most.
type pump struct {
	hub    *hub.Hub
	active atomic.Int32
}

// wake starts one more goroutine if there is room for one.
func (p *pump) wake() {
	for limit := int32(runtime.GOMAXPROCS(0)); ; {
		n := p.active.Load()
		if n >= limit {
			return
		}
		if p.active.CompareAndSwap(n, n+1) {
			go p.run()
			return
		}
	}
}

// run steps until there is nothing to do. It lets everyone else who is ready
// run first: handlers that are about to send, whose messages then leave
// together with the first.
func (p *pump) run() {
	runtime.Gosched()
	for p.hub.Step() {
	}
	p.active.Add(-1)
	if !p.hub.Idle() { // queued while this one was about to end
		p.wake()
	}
}
