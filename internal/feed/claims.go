package feed

import (
	"time"

	"github.com/finch-go/finch/broker"
)

// claims count answers of the broker that contradict what the feed knows, in a
// row, each kind by itself. Any one may be stale: it is believed when it has been
// given again patience times, and nothing has refuted it meanwhile.
type claims struct {
	older   int // the room does not reach what is proven
	foreign int // it is of another epoch
	lost    int // its last message comes before top
	forked  int // another message stands at top
	stuck   int // it ends before what is held
}

// refute forgets claims that a head refutes, whoever asked for it, unless it is
// known to be old itself.
func (w *work[M]) refute(head, top broker.Position) {
	if head.Epoch != top.Epoch || !w.reached(head) {
		return
	}
	w.foreign = 0
	if head.Offset >= top.Offset {
		w.lost = 0
	}
	if head == top {
		w.forked = 0
	}
}

// reached says whether a head is as new as what is proven.
func (w *work[M]) reached(head broker.Position) bool {
	p := w.proven
	return p.IsZero() || head == p || head.Epoch == p.Epoch && (p.Tag == 0 || head.Offset > p.Offset)
}

// older says whether a head, of an answer that sync waits for, is older than what
// is proven: then it is asked for again.
func (f *Feed[M]) older(head broker.Position, now time.Time) bool {
	w := f.work
	if !w.reached(head) {
		if !f.believed(&w.older, now) {
			return true
		}
		w.proven = broker.Position{} // what was shown is gone
	}
	w.older = 0
	return false
}

// believed counts a claim, and says whether it is believed now; if not, the head
// is asked for again.
func (f *Feed[M]) believed(claim *int, now time.Time) bool {
	*claim++
	if *claim > patience {
		return true
	}
	f.work.attempts = *claim
	f.ask(AskHead, now)
	return false
}

// contradicted takes an answer that contradicts what was emitted.
func (f *Feed[M]) contradicted(now time.Time, claim *int, head broker.Head, why Reason) {
	if f.believed(claim, now) {
		f.restart(now, head, why)
	}
}
