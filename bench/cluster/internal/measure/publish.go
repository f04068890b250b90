package measure

import (
	"context"
	"fmt"

	"github.com/finch-go/finch/bench/cluster/internal/node"
)

const (
	publishRooms    = 100
	publishInFlight = 256
)

func publishPart(s Sizes) part {
	return part{
		name:  "publish",
		title: "Publishes a second of one node",
		about: fmt.Sprintf("The server publishes on one node, %d at a time, in %d rooms with history and without members, for %s.", publishInFlight, publishRooms, short(s.Publish)),
		nodes: 1, servers: ServerNames(),
		figures: []figure{
			{"rate", "publishes/s", count, true},
			{"node", "CPU of the node", micros, false}, {"broker", "CPU of the broker", micros, false},
		},
		measure: func(ctx context.Context, t *turn) (map[string]float64, error) { return t.saturate(ctx) },
	}
}

func (t *turn) saturate(ctx context.Context) (map[string]float64, error) {
	load := node.Load{Rooms: publishRooms, InFlight: publishInFlight, For: t.sizes.Warm}
	if _, err := t.publish(ctx, "closed", load); err != nil {
		return nil, err
	}
	used, err := t.costs()
	if err != nil {
		return nil, err
	}
	load.For = t.sizes.Publish
	var result node.Result
	err = t.profiled(ctx, load.For, func() error {
		result, err = t.publish(ctx, "closed", load)
		return err
	})
	if err != nil {
		return nil, err
	}
	nodes, store, err := used()
	if err != nil {
		return nil, err
	}
	published := float64(result.Published)
	figures := map[string]float64{
		"rate": published / result.Took.Seconds(),
		"node": float64(nodes.Microseconds()) / published,
	}
	if len(t.store.Servers()) > 0 { // else it is inside the node
		figures["broker"] = float64(store.Microseconds()) / published
	}
	return figures, nil
}
