package measure

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/bench/cluster/internal/wire"
)

// memoryRooms is how many rooms one client of the memory part is in.
const memoryRooms = 1000

// fillWait is how long the first message of every room may take to be delivered.
const fillWait = 4 * time.Minute

func memoryPart(s Sizes) part {
	return part{
		name:  "memory",
		title: fmt.Sprintf("Memory of %s rooms", count(float64(s.Rooms))),
		about: fmt.Sprintf("By room: each has one member on one node, %d rooms a client, and one message that the other node published. Of nodes it is what resident memory grew by, after they gave back what they could; of Redis what its used_memory grew by; of NATS what the resident memory of all servers grew by. The embedded server is inside its node. And how long it took from the first publish, %d at a time, until every client had everything.", memoryRooms, publishInFlight),
		nodes: 2, servers: ServerNames(), slow: true,
		figures: []figure{
			{"member", "node of the members", bytes, false}, {"publisher", "node that published", bytes, false}, {"broker", "broker", bytes, false},
			{"delivered", "all delivered", seconds, false},
		},
		measure: func(ctx context.Context, t *turn) (map[string]float64, error) { return t.memory(ctx) },
	}
}

// held is what the nodes and the store hold, in bytes.
type held struct{ member, publisher, broker int }

func (t *turn) held(ctx context.Context) (h held, err error) {
	for range 2 { // what a first collection finds, the second gives back
		if err := t.from.Settle(ctx); err != nil {
			return h, err
		}
		if err := t.to.Settle(ctx); err != nil {
			return h, err
		}
	}
	if h.member, err = t.to.Resident(); err != nil {
		return h, err
	}
	if h.publisher, err = t.from.Resident(); err != nil {
		return h, err
	}
	h.broker, err = t.store.Memory(ctx)
	return h, err
}

func (t *turn) memory(ctx context.Context) (map[string]float64, error) {
	// A client has been here before, so that what the first one costs is not counted.
	first := &wire.Client{Dialect: t.dialect, Rooms: []int{0}}
	if err := first.Join(ctx, t.to.Addr); err != nil {
		return nil, err
	}
	first.Close()
	before, err := t.held(ctx)
	if err != nil {
		return nil, err
	}
	var heard atomic.Int64
	var clients []*wire.Client
	for at := 0; at < t.sizes.Rooms; at += memoryRooms {
		c := &wire.Client{Dialect: t.dialect, Hear: func(wire.Note) { heard.Add(1) }}
		for room := at; room < min(at+memoryRooms, t.sizes.Rooms); room++ {
			c.Rooms = append(c.Rooms, warmRooms+room)
		}
		clients = append(clients, c)
	}
	readers, err := joined(ctx, clients, t.to.Addr, func(c *wire.Client) {
		for c.Read() == nil {
		}
	})
	defer func() {
		for _, c := range clients {
			c.Close()
		}
		readers.Wait()
	}()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if _, err := t.publish(ctx, "fill", node.Load{Rooms: warmRooms + t.sizes.Rooms, InFlight: publishInFlight}); err != nil {
		return nil, err
	}
	if !until(ctx, fillWait, func() bool { return int(heard.Load()) == t.sizes.Rooms }) {
		return nil, fmt.Errorf("of %d messages %d were delivered; the node said: %s", t.sizes.Rooms, heard.Load(), t.to.Said())
	}
	delivered := time.Since(began)
	after, err := t.held(ctx)
	if err != nil {
		return nil, err
	}
	rooms := float64(t.sizes.Rooms)
	figures := map[string]float64{"member": float64(after.member-before.member) / rooms, "delivered": delivered.Seconds()}
	if t.to != t.from {
		figures["publisher"] = float64(after.publisher-before.publisher) / rooms
		figures["broker"] = float64(after.broker-before.broker) / rooms
	}
	return figures, nil
}
