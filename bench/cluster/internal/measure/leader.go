package measure

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/bench/cluster/internal/stage"
)

func leaderPart(s Sizes) part {
	return part{
		name:  "leader",
		title: "Publish gap when a leader is killed",
		about: fmt.Sprintf("Of three NATS servers the one is killed that leads a room's stream. One publisher for each of %d rooms publishes every 5 ms and repeats what fails, with its key. The longest time without an acknowledgement, in rooms whose streams the killed server led, and in the others.", warmRooms),
		nodes: 1, servers: []string{"finch-nats-3"}, slow: true,
		figures: []figure{{"led", "rooms of its streams", seconds, false}, {"others", "other rooms", seconds, false}},
		measure: func(ctx context.Context, t *turn) (map[string]float64, error) { return t.leaderless(ctx) },
	}
}

// beforeKill is how long is published before the leader dies.
const beforeKill = 2 * time.Second

func (t *turn) leaderless(ctx context.Context) (map[string]float64, error) {
	servers, ok := t.store.(*stage.NATS)
	if !ok {
		return nil, errors.New("only NATS has leaders")
	}
	partitions, err := servers.Partitions()
	if err != nil {
		return nil, err
	}
	if len(partitions) == 0 || partitions[0].Leader == nil {
		return nil, errors.New("no stream has a leader")
	}
	leader := partitions[t.round%len(partitions)].Leader
	led := make([]bool, warmRooms)
	for _, p := range partitions {
		for _, room := range p.Rooms {
			if room < warmRooms {
				led[room] = p.Leader == leader
			}
		}
	}
	kill := time.AfterFunc(beforeKill, leader.Kill)
	defer kill.Stop()
	result, err := t.publish(ctx, "insist", node.Load{Rooms: warmRooms, For: t.sizes.Leader})
	if err != nil {
		return nil, err
	}
	if !leader.Ended() {
		return nil, errors.New("the leader lived through it")
	}
	var longest, others time.Duration
	for room, gap := range result.Gaps {
		if led[room] {
			longest = max(longest, gap)
		} else {
			others = max(others, gap)
		}
	}
	return map[string]float64{"led": longest.Seconds(), "others": others.Seconds()}, nil
}
