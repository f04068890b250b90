package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/chaos/internal/actor"
	"github.com/finch-go/finch/chaos/internal/fault"
	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/chaos/internal/stage"
	"github.com/finch-go/finch/chaos/internal/story"
)

const (
	startMost  = 40 * time.Second // for the store and the nodes to serve
	settleMost = 60 * time.Second // for all to be true again when nothing goes wrong any more
	restMost   = 30 * time.Second // for a node to let go of what clients have left behind
)

// lossyEnd is the share of messages that links lose at the end of a long run.
const lossyEnd = 0.25

// A run is one broker, its nodes and its clients.
type run struct {
	options
	broker  string
	out     io.Writer
	begun   time.Time
	setting fault.Setting
	story   *story.Story
	world   *actor.World
	crowd   *actor.Crowd
	store   stage.Store
	nodes   []*stage.Node
	links   []*link.Proxy // between nodes and servers
	resting server.Held   // what a node holds without clients
	files   int
	opened  int          // rooms, at the end
	shaken  atomic.Int64 // when the store was last in trouble

	report report
	mu     sync.Mutex // guards report, which several lanes write to
}

func (r *run) now() time.Duration { return time.Since(r.begun) }

// perform is a whole run. An error says that promises were broken, or that the
// stage could not be set.
func perform(ctx context.Context, o options, broker string, out io.Writer) error {
	dir, err := os.MkdirTemp("", "finch-chaos")
	if err != nil {
		return err
	}
	if o.keep {
		fmt.Fprintln(out, "kept:", dir)
	} else {
		defer os.RemoveAll(dir)
	}
	r := &run{options: o, broker: broker, out: out, begun: time.Now(), story: story.New(server.Depth)}
	r.shaken.Store(math.MinInt64 / 2)
	r.report.begin(r)
	defer r.close()
	if err := r.set(ctx, dir); err != nil {
		return fmt.Errorf("the stage could not be set: %w", err)
	}
	if err := r.act(ctx); err != nil {
		return err
	}
	return r.judge()
}

// set starts the store and the nodes, and looks at what they hold at rest.
func (r *run) set(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, startMost)
	defer cancel()
	nodes := 3
	r.setting = fault.Setting{Long: r.long}
	dice := dice(r.seed)
	var err error
	switch r.broker {
	case "memory", "embedded":
		nodes = 1
		r.store = stage.NewLocal(r.broker, dir)
		r.setting.Lasting = r.broker == "embedded"
	case "nats":
		r.store, err = stage.NewNATS(dir, nodes, dice)
		r.setting.Links, r.setting.Routes, r.setting.Leaders, r.setting.Lasting = true, true, true, true
	case "redis":
		r.store, err = stage.NewRedis(dir, nodes, dice)
		r.setting.Links, r.setting.Lasting = true, true
	case "redis-cluster":
		r.store, err = stage.NewRedisCluster(dir, dice)
		r.setting.Links, r.setting.Masters = true, true
	case "redis-sentinel":
		r.store, err = stage.NewRedisSentinel(dir, dice)
		r.setting.Links, r.setting.Masters = true, true
	}
	if err != nil {
		return err
	}
	if err := r.store.Start(ctx); err != nil {
		return err
	}
	r.setting.Nodes, r.setting.Servers = nodes, len(r.store.Servers())
	r.world = &actor.World{Story: r.story, Now: r.now, Pause: time.Duration(float64(r.clients) / r.rate * float64(time.Second))}
	for i := range nodes {
		config := r.store.Node(i)
		config.Drain = 8 * time.Second
		n, err := stage.NewNode(i, config)
		if err != nil {
			return err
		}
		r.nodes = append(r.nodes, n)
		r.world.Nodes = append(r.world.Nodes, n.Address())
		if err := n.Start(false); err != nil {
			return err
		}
		for _, p := range r.store.Links(i) {
			if !slices.Contains(r.links, p) {
				r.links = append(r.links, p)
			}
		}
	}
	for i := range 6 {
		r.room(fmt.Sprint(server.Busy, i), 10)
		r.room(fmt.Sprint(server.Quiet, i), 0.25)
	}
	r.room(server.Club+"0", 4)
	r.room(server.Club+"1", 0.25)
	r.room(server.Small+"0", 2)
	r.room(server.Small+"1", 2)
	return r.warm(ctx)
}

func (r *run) room(name string, weight float64) {
	r.world.Rooms = append(r.world.Rooms, name)
	r.world.Weights = append(r.world.Weights, weight)
}

// dice answers random numbers to many goroutines.
func dice(seed uint64) func() float64 {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, 0xd1ce))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64()
	}
}

// warm lets a few clients use every node and leave, so that all that is made once
// has been made, and remembers what the nodes hold then.
func (r *run) warm(ctx context.Context) error {
	world := &actor.World{Story: story.New(server.Depth), Now: r.now, Nodes: r.world.Nodes, Rooms: r.world.Rooms, Weights: r.world.Weights, Pause: 100 * time.Millisecond}
	crowd := actor.NewCrowd(world, 12, r.seed^0xaaaa)
	crowd.Begin(ctx, 0)
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
	}
	crowd.End()
	if err := r.store.Well(ctx); err != nil {
		return err
	}
	for _, n := range r.nodes {
		h, files, err := r.rest(ctx, n, func(h server.Held, _ int) bool { return h.Stats.Sockets == 0 })
		if err != nil {
			return err
		}
		if h.Goroutines > r.resting.Goroutines {
			r.resting = h
		}
		r.files = max(r.files, files)
	}
	return nil
}

// rest looks at a node until it holds what it should, and answers what it holds
// last; no longer than restMost.
func (r *run) rest(ctx context.Context, n *stage.Node, enough func(server.Held, int) bool) (h server.Held, files int, err error) {
	ctx, cancel := context.WithTimeout(ctx, restMost)
	defer cancel()
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		if h, err = n.Held(true, false); err == nil {
			if files, err = n.Process().Descriptors(); err == nil && enough(h, files) {
				return h, files, nil
			}
		}
		select {
		case <-ctx.Done():
			return h, files, err
		case <-tick.C:
		}
	}
}

// act lets things go wrong, and then lets all become well again.
func (r *run) act(ctx context.Context) error {
	r.lossy(r.lose)
	r.begun = time.Now()
	r.crowd = actor.NewCrowd(r.world, r.clients, r.seed)
	r.crowd.Begin(ctx, time.Second)
	quiet := r.length - 2*time.Second
	select {
	case <-time.After(1500 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	watched := r.watchMasters(ctx)
	var lanes sync.WaitGroup
	var failed [2]error
	lanes.Go(func() { failed[0] = r.suffer(ctx, fault.Nodes(r.setting, quiet, r.seed)) })
	lanes.Go(func() { failed[1] = r.suffer(ctx, fault.Stores(r.setting, quiet, r.seed)) })
	lanes.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		return err
	}
	wait := r.length - r.now()
	if r.long { // last messages of quiet rooms are lost: only a look at the store finds them
		r.lossy(max(r.lose, lossyEnd))
		wait = max(wait, 4*time.Second)
	}
	if wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.settle(ctx)
	watched()
	r.open(ctx)
	r.rested(ctx)
	return nil
}

// lossy sets what share of messages all links lose.
func (r *run) lossy(share float64) {
	for _, p := range r.links {
		p.Change(func(s *link.State) { s.Lose = share })
	}
}

func (r *run) violate(kind, text string) {
	r.story.Violate(story.Violation{At: r.now(), Kind: kind, Room: "-", Client: "-", Text: text})
}

// close ends all that was started.
func (r *run) close() {
	if r.crowd != nil {
		r.crowd.End()
	}
	for _, n := range r.nodes {
		if p := n.Process(); p != nil {
			p.Kill()
		}
	}
	if r.store != nil {
		r.store.Close()
	}
}
