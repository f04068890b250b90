package wheel

import (
	"math/bits"
	"time"
)

const (
	levels    = 5
	slotBits  = 6
	slots     = 1 << slotBits
	slotMask  = slots - 1
	nowhere   = 0              // Node.place of an owner without a deadline
	dueList   = levels * slots // the slot of those whose time has come
	placeBase = 1              // Node.place is the slot's number plus this
)

// farthest is how many ticks ahead a deadline can be told from one that has
// passed: ticks are compared by their difference, as they wrap.
const farthest = 1<<31 - 1

// Node is an owner's place on a wheel: 24 bytes, to be embedded by value. The
// zero value is an owner without a deadline. Only the wheel touches it.
type Node[T any] struct {
	next, prev *T // prev is nil for the first of a slot
	tick       uint32
	place      uint16
}

// An owner is a *T that holds a Node.
type owner[T any] interface {
	*T
	// Deadline answers the owner's node, always the same.
	Deadline() *Node[T]
}

// Wheel holds deadlines of owners of one type. An owner is on at most one
// wheel, with at most one deadline. It must not be used by two goroutines at
// once, and the zero value is not usable: see [New].
//
// Times are durations since whatever moment the driver took as its zero, and
// are rounded up to whole ticks: nothing is due early.
type Wheel[T any, P owner[T]] struct {
	tick  time.Duration
	now   uint32 // every deadline up to here is on the due list
	turns int64  // how often now has wrapped
	size  int
	used  [levels]uint64 // a bit for each slot that is not empty
	first [levels*slots + 1]*T
}

// New makes a wheel whose clock shows zero. A tick is the precision of its
// deadlines and must be positive.
func New[T any, P owner[T]](tick time.Duration) *Wheel[T, P] {
	if tick <= 0 {
		panic("wheel: a tick must be longer than nothing")
	}
	return &Wheel[T, P]{tick: tick}
}

// Len answers how many owners have a deadline, the due ones included.
func (w *Wheel[T, P]) Len() int { return w.size }

// Set gives p a deadline, in place of the one it may have had. One that has
// passed already is due at once; one more than 2^31-1 ticks ahead is due then.
func (w *Wheel[T, P]) Set(p P, at time.Duration) {
	w.Remove(p)
	n := p.Deadline()
	n.tick = w.ticksOf(at)
	w.size++
	w.insert(p, n)
}

// Remove takes p off the wheel, due or not; without a deadline it does
// nothing.
func (w *Wheel[T, P]) Remove(p P) {
	n := p.Deadline()
	if n.place != nowhere {
		w.unlink(n)
		w.size--
	}
}

// At answers p's deadline, if it has one.
func (w *Wheel[T, P]) At(p P) (at time.Duration, ok bool) {
	n := p.Deadline()
	if n.place == nowhere {
		return 0, false
	}
	return w.timeOf(n.tick), true
}

// Advance says that the clock shows now. Time never goes back: an earlier now
// changes nothing.
func (w *Wheel[T, P]) Advance(now time.Duration) {
	target := int64(now / w.tick)
	for w.here() < target {
		next, ok := w.nextTick()
		if !ok || next > target {
			w.moveTo(target)
			return
		}
		w.moveTo(next)
		w.turn()
	}
}

// Due takes one owner whose deadline has passed off the wheel and answers it,
// or nil. They come in no particular order.
func (w *Wheel[T, P]) Due() P {
	p := P(w.first[dueList])
	if p != nil {
		w.unlink(p.Deadline())
		w.size--
	}
	return p
}

// Next answers when to call Advance again: never later than the first
// deadline, and earlier only to sort deadlines that were far away when they
// were set, which happens at most four times to each. If some are due
// already, it answers the time that the clock shows.
func (w *Wheel[T, P]) Next() (at time.Duration, ok bool) {
	if w.first[dueList] != nil {
		return time.Duration(w.here()) * w.tick, true
	}
	tick, ok := w.nextTick()
	return time.Duration(tick) * w.tick, ok
}

// here is now without the wrap.
func (w *Wheel[T, P]) here() int64 { return w.turns<<32 | int64(w.now) }

func (w *Wheel[T, P]) moveTo(tick int64) {
	w.now, w.turns = uint32(tick), tick>>32
}

// ticksOf rounds up and keeps within what can be told apart.
func (w *Wheel[T, P]) ticksOf(at time.Duration) uint32 {
	here := w.here()
	tick := int64(at / w.tick)
	if at > 0 && at%w.tick != 0 {
		tick++
	}
	return uint32(min(max(tick, here), here+farthest))
}

func (w *Wheel[T, P]) timeOf(tick uint32) time.Duration {
	return time.Duration(w.here()+int64(int32(tick-w.now))) * w.tick
}

// insert links p where its tick belongs, seen from now: on level l if it
// first differs from now in the l-th group of six bits, counted from below.
func (w *Wheel[T, P]) insert(p P, n *Node[T]) {
	slot := dueList
	if n.tick != w.now {
		level := min((bits.Len32(n.tick^w.now)-1)/slotBits, levels-1)
		index := int(n.tick>>(level*slotBits)) & slotMask
		if level == levels-1 && int32(n.tick-w.now)>>((levels-1)*slotBits) >= slots {
			// Beyond the last level's round: wait in the slot that is seen last,
			// and be sorted again from there.
			index = int(w.now>>(level*slotBits)-1) & slotMask
		}
		slot = level*slots + index
		w.used[level] |= 1 << index
	}
	n.place = uint16(slot + placeBase)
	n.prev, n.next = nil, w.first[slot]
	if n.next != nil {
		P(n.next).Deadline().prev = (*T)(p)
	}
	w.first[slot] = (*T)(p)
}

func (w *Wheel[T, P]) unlink(n *Node[T]) {
	slot := int(n.place) - placeBase
	if n.next != nil {
		P(n.next).Deadline().prev = n.prev
	}
	if n.prev != nil {
		P(n.prev).Deadline().next = n.next
	} else {
		w.first[slot] = n.next
		if n.next == nil && slot != dueList {
			w.used[slot/slots] &^= 1 << (slot & slotMask)
		}
	}
	n.next, n.prev, n.place = nil, nil, nowhere
}

// nextTick answers the first tick at which a slot has to be looked at.
func (w *Wheel[T, P]) nextTick() (tick int64, ok bool) {
	here := w.here()
	for level := range levels {
		if w.used[level] == 0 {
			continue
		}
		shift := level * slotBits
		at := here >> shift
		// The slot that now stands in was emptied when it began, so the first
		// to come is the next; the last is a whole round away.
		from := int(at+1) & slotMask
		ahead := bits.TrailingZeros64(bits.RotateLeft64(w.used[level], -from))
		next := (at + 1 + int64(ahead)) << shift
		if !ok || next < tick {
			tick, ok = next, true
		}
	}
	return tick, ok
}

// turn sorts every slot that begins at now, the coarsest first.
func (w *Wheel[T, P]) turn() {
	for level := levels - 1; level >= 0; level-- {
		if w.now&(1<<(level*slotBits)-1) != 0 {
			continue
		}
		index := int(w.now>>(level*slotBits)) & slotMask
		if w.used[level]&(1<<index) == 0 {
			continue
		}
		slot := level*slots + index
		p := P(w.first[slot])
		w.first[slot] = nil
		w.used[level] &^= 1 << index
		for p != nil {
			n := p.Deadline()
			next := P(n.next)
			w.insert(p, n)
			p = next
		}
	}
}
