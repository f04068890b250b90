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
	w.roll, w.left = make([]bool, len(r.loop.sockets)), int64(0)
	for _, n := range w.members {
		w.left += int64(n)
	}
	for end := r.loop.now() + int64(r.plan.Timeout); w.left > 0 && r.loop.now() < end; {
		for room := range w.rooms {
			w.call(room)
		}
		if err := r.until(func() bool { return w.left <= 0 }, min(end, r.loop.now()+int64(rollEvery))); err != nil {
			return err
		}
	}
	w.roll, w.left = nil, 0
	clear(w.members)
	for _, s := range r.loop.sockets {
		if s.live() && !s.slow {
			w.members[w.roomOf(s)]++
		}
	}
	return nil
}

// call lets a publisher of a room that is here send one message.
func (w *fanWork) call(room int) {
	for p := room * w.each; p < (room+1)*w.each; p++ {
		if s := w.publishers[p]; s.live() {
			w.r.send(s, stamp{sender: p, slot: rollSlot, due: w.r.loop.now()})
			w.r.result.Sent--
			return
		}
	}
}
