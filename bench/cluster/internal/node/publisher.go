package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/wire"
)

// A publisher publishes on behalf of the harness.
type publisher struct{ side side }

// A tally counts what became of publishes. Any goroutine may use it.
type tally struct {
	published, failed atomic.Int64
	fault             atomic.Value // of string
}

func (t *tally) count(err error) {
	if err == nil {
		t.published.Add(1)
		return
	}
	t.failed.Add(1)
	t.fault.Store(err.Error())
}

func (t *tally) result(began time.Time) Result {
	fault, _ := t.fault.Load().(string)
	return Result{Published: int(t.published.Load()), Failed: int(t.failed.Load()), Error: fault, Took: time.Since(began)}
}

// lanes is how many publishes of an open load may be under way: one of each lane,
// so that the messages of a room keep their order.
const lanes = 64

// laneLength is how far a lane may fall behind, in messages; beyond it the rate is
// not what was asked for, and the load fails.
const laneLength = 4096

// errBehind says that the rate is more than the side can do.
var errBehind = errors.New("publishing falls behind the rate")

// open publishes at a rate, whether what came before is done or not. What is due
// in one turn of the clock, about a millisecond, is handed over together, and
// counts from then on.
func (p *publisher) open(ctx context.Context, l Load) (Result, error) {
	if l.Rooms < 1 || l.Rate < 1 {
		return Result{}, fmt.Errorf("rooms %d, rate %d", l.Rooms, l.Rate)
	}
	var sum tally
	var queues [lanes]chan wire.Note
	var workers sync.WaitGroup
	for i := range queues {
		queues[i] = make(chan wire.Note, laneLength)
		workers.Go(func() {
			for n := range queues[i] {
				sum.count(p.side.publish(context.Background(), wire.RoomName(n.Room), n.Data(), ""))
			}
		})
	}
	began := time.Now()
	err := pace(ctx, l, began, func(n wire.Note) error {
		select {
		case queues[n.Room%lanes] <- n:
			return nil
		default:
			return errBehind
		}
	})
	for _, q := range queues {
		close(q)
	}
	workers.Wait()
	return sum.result(began), err
}

// pace hands over what is due, room after room, until the load's time is over.
func pace(ctx context.Context, l Load, began time.Time, hand func(wire.Note) error) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for sent := 0; ; {
		now := time.Now()
		past := min(now.Sub(began), l.For)
		for due := int(past.Seconds() * float64(l.Rate)); sent < due; sent++ {
			if err := hand(wire.Note{At: now, Number: sent/l.Rooms + 1, Room: sent % l.Rooms}); err != nil {
				return err
			}
		}
		if past == l.For {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// closed keeps so many publishes in flight.
func (p *publisher) closed(ctx context.Context, l Load) (Result, error) {
	if l.Rooms < 1 || l.InFlight < 1 {
		return Result{}, fmt.Errorf("rooms %d, in flight %d", l.Rooms, l.InFlight)
	}
	ctx, cancel := context.WithTimeout(ctx, l.For)
	defer cancel()
	var sum tally
	var next atomic.Int64
	began := time.Now()
	var workers sync.WaitGroup
	for range l.InFlight {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				n := wire.Note{At: began, Number: i/l.Rooms + 1, Room: i % l.Rooms}
				sum.count(p.side.publish(context.Background(), wire.RoomName(n.Room), n.Data(), ""))
			}
		})
	}
	workers.Wait()
	return sum.result(began), nil
}

// fill publishes one message in each room.
func (p *publisher) fill(_ context.Context, l Load) (Result, error) {
	var sum tally
	var next atomic.Int64
	began := time.Now()
	var workers sync.WaitGroup
	for range l.InFlight {
		workers.Go(func() {
			for room := int(next.Add(1)) - 1; room < l.Rooms; room = int(next.Add(1)) - 1 {
				sum.count(p.side.publish(context.Background(), wire.RoomName(room), wire.Note{At: began, Number: 1, Room: room}.Data(), ""))
			}
		})
	}
	workers.Wait()
	return sum.result(began), nil
}

// insistPause is how long insist waits before it publishes again, done or failed.
const insistPause = 5 * time.Millisecond

// insist publishes in each room, one message after the other, each again and again
// until it is acknowledged.
func (p *publisher) insist(ctx context.Context, l Load) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, l.For)
	defer cancel()
	var sum tally
	gaps := make([]time.Duration, l.Rooms)
	began := time.Now()
	var workers sync.WaitGroup
	for room := range l.Rooms {
		workers.Go(func() { gaps[room] = p.insistIn(ctx, room, &sum) })
	}
	workers.Wait()
	result := sum.result(began)
	result.Gaps = gaps
	return result, nil
}

// insistIn answers the longest time without an acknowledgement in one room.
func (p *publisher) insistIn(ctx context.Context, room int, sum *tally) (longest time.Duration) {
	tick := time.NewTicker(insistPause)
	defer tick.Stop()
	began := time.Now()
	last := began
	for number := 1; ctx.Err() == nil; {
		// The same bytes for each attempt: a key belongs to one message.
		n := wire.Note{At: began, Number: number, Room: room}
		try, cancel := context.WithTimeout(context.Background(), time.Second)
		err := p.side.publish(try, wire.RoomName(room), n.Data(), fmt.Sprintf("%d-%d", room, number))
		cancel()
		sum.count(err)
		if longest = max(longest, time.Since(last)); err == nil {
			number, last = number+1, time.Now()
		}
		<-tick.C
	}
	return longest
}
