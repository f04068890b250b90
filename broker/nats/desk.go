package nats

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

// A desk is where the acknowledgements of streams arrive. nats.go has one of its
// own for requests; this one needs no context and no timer of its own for each,
// and gives all that wait their answer when the connection is lost: a publish is
// the call that is made most.
type desk struct {
	inbox string // a number follows
	late  time.Duration

	mu      sync.Mutex
	last    uint64
	waiting map[uint64]*slip
	free    []*slip
}

// A slip is one publish that waits.
type slip struct {
	answer chan *natsgo.Msg
	timer  *time.Timer
}

// maxFree is how many slips are kept for the next publishes.
const maxFree = 1024

func newDesk(conn *natsgo.Conn, late time.Duration) (*desk, error) {
	d := &desk{inbox: conn.NewInbox() + ".", late: late, waiting: map[uint64]*slip{}}
	sub, err := conn.Subscribe(d.inbox+"*", d.take)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1) // no more come than were asked for
	}
	return d, err
}

// take hands an answer to whoever waits for it.
func (d *desk) take(m *natsgo.Msg) {
	number, err := strconv.ParseUint(m.Subject[len(d.inbox):], 36, 64)
	if err != nil {
		return
	}
	d.mu.Lock()
	s := d.waiting[number]
	delete(d.waiting, number)
	d.mu.Unlock()
	if s != nil {
		s.answer <- m
	}
}

func (d *desk) enter() (uint64, *slip) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last++
	var s *slip
	if n := len(d.free); n > 0 {
		s, d.free = d.free[n-1], d.free[:n-1]
		s.timer.Reset(d.late)
	} else {
		s = &slip{answer: make(chan *natsgo.Msg, 1), timer: time.NewTimer(d.late)}
	}
	d.waiting[d.last] = s
	return d.last, s
}

// leave takes a slip back. One that was given up while its answer was on its way
// is not used again.
func (d *desk) leave(number uint64, s *slip, answered bool) {
	s.timer.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !answered {
		if d.waiting[number] != s {
			return
		}
		delete(d.waiting, number)
	}
	if len(d.free) < maxFree {
		d.free = append(d.free, s)
	}
}

// publish sends a message to a stream and waits for its answer, as
// Broker.request does.
func (b *Broker) publish(ctx context.Context, m *natsgo.Msg) (*natsgo.Msg, error) {
	life := b.link.life()
	if life.Err() != nil {
		return nil, unavailable("no connection to a server")
	}
	d := b.desk
	number, s := d.enter()
	m.Reply = d.inbox + strconv.FormatUint(number, 36)
	if err := b.link.conn.PublishMsg(m); err != nil {
		d.leave(number, s, false)
		return nil, unsent(err)
	}
	var why error
	select {
	case answer := <-s.answer:
		d.leave(number, s, true)
		if header(answer.Header, headerStatus) == "503" {
			return nil, unavailable("nobody serves %s", m.Subject)
		}
		return answer, nil
	case <-ctx.Done():
		why = ctx.Err()
	case <-life.Done():
		why = fmt.Errorf("%w: %w", errUnanswered, context.Cause(life))
	case <-s.timer.C:
		why = fmt.Errorf("%w: %w", errUnanswered, errTimeout)
	}
	d.leave(number, s, false)
	return nil, why
}
