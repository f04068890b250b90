package bench

import (
	"fmt"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// rest lets the sockets be, for the plan's duration. What the server pays in it
// is what sockets cost that say nothing.
func (r *run) rest() error {
	if r.plan.Touch {
		if err := r.touch(); err != nil {
			return err
		}
	}
	cpu, err := r.serverCPU()
	if err != nil {
		return err
	}
	own, at := ownCPU(), r.loop.now()
	if err := r.until(func() bool { return false }, at+int64(r.plan.Duration)); err != nil {
		return err
	}
	after, err := r.serverCPU()
	if err != nil {
		return err
	}
	r.account(after-cpu, ownCPU()-own, time.Duration(r.loop.now()-at), 0)
	return nil
}

// touchSize is what each socket says before it rests.
const touchSize = 1 << 10

// touchAtOnce is how many sockets do so at a time.
const touchAtOnce = 64

// touch makes each socket send an echo and a ping and waits for the echo.
func (r *run) touch() error {
	r.stamps = newStamper(touchSize)
	w := newEchoWork(r)
	r.work = w
	r.from, r.to = 0, 0 // one message each
	for i, s := range r.loop.sockets {
		w.send(s, r.loop.now())
		r.loop.send(s, frame.Ping, []byte("finch"))
		if i%touchAtOnce != touchAtOnce-1 && i != len(r.loop.sockets)-1 {
			continue
		}
		err := r.until(func() bool { return w.left <= 0 }, r.loop.now()+int64(r.plan.Timeout))
		if err != nil {
			return err
		}
		if w.left > 0 {
			return fmt.Errorf("%d sockets did not get their echo back within %v", w.left, r.plan.Timeout)
		}
	}
	return nil
}
