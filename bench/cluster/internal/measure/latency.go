package measure

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/bench/cluster/internal/wire"
)

// latencyRooms is over how many rooms an open load goes, each with one member.
const latencyRooms = 100

func latencyPart(s Sizes, rate int) part {
	return part{
		name:  fmt.Sprintf("latency-%d", rate),
		title: fmt.Sprintf("Publish to delivery, %s a second", count(float64(rate))),
		about: fmt.Sprintf("The server publishes on one node, at a fixed rate; a client on the other node has the message. %d rooms with one client each, for %s. CPU is that of both nodes and the broker, by message.", latencyRooms, short(s.Latency)),
		nodes: 2, servers: clusters,
		figures: []figure{{"p50", "p50", millis, false}, {"p99", "p99", millis, false}, {"cpu", "CPU", micros, false}},
		measure: func(ctx context.Context, t *turn) (map[string]float64, error) { return t.latency(ctx, rate) },
	}
}

// joined makes clients join rooms on a node, some at a time, and then runs read
// for each of them in its own goroutine.
func joined(ctx context.Context, clients []*wire.Client, addr string, read func(*wire.Client)) (*sync.WaitGroup, error) {
	var readers, joiners sync.WaitGroup
	var next atomic.Int64
	var fault atomic.Pointer[error]
	for range 32 {
		joiners.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(clients) && fault.Load() == nil; i = int(next.Add(1)) - 1 {
				if err := clients[i].Join(ctx, addr); err != nil {
					fault.Store(&err)
					return
				}
				readers.Go(func() { read(clients[i]) })
			}
		})
	}
	joiners.Wait()
	if err := fault.Load(); err != nil {
		return &readers, fmt.Errorf("a client could not join: %w", *err)
	}
	return &readers, nil
}

// A delivery is when a message was due, and how long it took.
type delivery struct {
	due  time.Time
	took time.Duration
}

func (t *turn) latency(ctx context.Context, rate int) (map[string]float64, error) {
	var heard atomic.Int64
	clients, deliveries := make([]*wire.Client, latencyRooms), make([][]delivery, latencyRooms)
	for i := range clients {
		clients[i] = &wire.Client{Dialect: t.dialect, Rooms: []int{i}, Hear: func(n wire.Note) {
			deliveries[i] = append(deliveries[i], delivery{n.At, time.Since(n.At)})
			heard.Add(1)
		}}
	}
	var closed sync.Once
	closeAll := func() {
		closed.Do(func() {
			for _, c := range clients {
				c.Close()
			}
		})
	}
	readers, err := joined(ctx, clients, t.to.Addr, func(c *wire.Client) {
		for c.Read() == nil {
		}
	})
	if err != nil {
		return nil, err
	}
	defer closeAll()
	used, err := t.costs()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var result node.Result
	length := t.sizes.Warm + t.sizes.Latency
	err = t.profiled(ctx, length, func() error {
		result, err = t.publish(ctx, "open", node.Load{Rooms: latencyRooms, Rate: rate, For: length})
		return err
	})
	if err != nil {
		return nil, err
	}
	if !until(ctx, settleWait, func() bool { return int(heard.Load()) >= result.Published }) {
		return nil, fmt.Errorf("%d messages were published and %d delivered", result.Published, heard.Load())
	}
	nodes, store, err := used()
	if err != nil {
		return nil, err
	}
	closeAll()
	readers.Wait()
	var took []time.Duration
	for _, of := range deliveries {
		for _, d := range of {
			if d.due.Sub(began) >= t.sizes.Warm {
				took = append(took, d.took)
			}
		}
	}
	return map[string]float64{
		"p50": quantile(took, 0.50).Seconds() * 1e3,
		"p99": quantile(took, 0.99).Seconds() * 1e3,
		"cpu": float64((nodes + store).Microseconds()) / float64(result.Published),
	}, nil
}

// settleWait is how long what was published may take to be everywhere.
const settleWait = 30 * time.Second

// until polls a condition, and answers whether it came true in time.
func until(ctx context.Context, within time.Duration, condition func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-ctx.Done():
			return condition()
		case <-tick.C:
		}
	}
	return true
}
