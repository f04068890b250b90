package bench

import "time"

// rollSlot marks the messages of the roll call.
const rollSlot = maxSlots - 1

// rollEvery is how long the roll call waits before it calls again.
const rollEvery = 100 * time.Millisecond

// callRoll sends messages to everyone until everybody has had one: a server may
// let a member in a moment after it has answered the handshake, and what it
// misses in that moment is not lost. Whoever does not answer in time takes part
// all the same, and will be missed aloud.
func (w *fanWork) callRoll() error {
	r := w.r
	r.work = w
	w.roll, w.left = make([]bool, len(r.loop.sockets)), int64(w.members)
	for end := r.loop.now() + int64(r.plan.Timeout); w.left > 0 && r.loop.now() < end; {
		for p, s := range w.publishers { // one that is here
			if s.live() {
				r.send(s, stamp{sender: p, slot: rollSlot, due: r.loop.now()})
				r.result.Sent--
				break
			}
		}
		if err := r.until(func() bool { return w.left <= 0 }, min(end, r.loop.now()+int64(rollEvery))); err != nil {
			return err
		}
	}
	w.roll, w.left, w.members = nil, 0, 0
	for _, s := range r.loop.sockets {
		if s.live() && !s.slow {
			w.members++
		}
	}
	return nil
}
