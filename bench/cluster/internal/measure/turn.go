package measure

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/bench/cluster/internal/stage"
	"github.com/finch-go/finch/bench/cluster/internal/wire"
)

// A turn is one server's part of a round: a fresh store with fresh nodes.
type turn struct {
	sizes   Sizes
	round   int
	dialect wire.Dialect
	store   stage.Store
	// Messages are published on from, and delivered on to. Where there is one node
	// they are the same.
	from, to *stage.Node
	profiles string // the beginning of file names for profiles; empty: none
}

// newTurn starts what a server needs. Whoever asked closes it.
func newTurn(ctx context.Context, server string, nodes int, sizes Sizes, round int) (t *turn, close func(), err error) {
	dir, err := os.MkdirTemp("", "finch-cluster")
	if err != nil {
		return nil, nil, err
	}
	t = &turn{sizes: sizes, round: round}
	close = func() {
		for _, n := range []*stage.Node{t.from, t.to} {
			if n != nil {
				n.Kill()
			}
		}
		if t.store != nil {
			t.store.Close()
		}
		_ = os.RemoveAll(dir) // of the temporary files; the system removes what is left
	}
	defer func() {
		if err != nil {
			close()
		}
	}()
	side, kind := "", ""
	for _, s := range serverTitles {
		if s.name == server {
			side, kind, t.dialect = s.side, s.store, wire.Dialect(s.side)
		}
	}
	if t.store, err = stage.NewStore(ctx, kind, dir); err != nil {
		return nil, nil, err
	}
	o := t.store.Node()
	o.Side, o.ID = side, "node-a"
	if t.from, err = stage.StartNode(o); err != nil {
		return nil, nil, err
	}
	t.to = t.from
	if nodes == 2 && kind != "embedded" {
		o.ID = "node-b"
		if t.to, err = stage.StartNode(o); err != nil {
			return nil, nil, err
		}
	}
	// The first publish has a node make what it needs in the store.
	if _, err = t.publish(ctx, "fill", node.Load{Rooms: warmRooms, InFlight: 16}); err != nil {
		return nil, nil, err
	}
	return t, close, nil
}

// warmRooms is in how many rooms something is published before the measurement: in
// each partition of each store.
const warmRooms = 64

// publish has a node publish; that some of it fails is an error.
func (t *turn) publish(ctx context.Context, how string, l node.Load) (node.Result, error) {
	result, err := t.from.Ask(ctx, how, l)
	if err == nil && result.Failed > 0 && how != "insist" {
		err = fmt.Errorf("%d of %d publishes failed: %s", result.Failed, result.Published+result.Failed, result.Error)
	}
	return result, err
}

// costs measures processor time from now on. The function that it returns answers
// what the nodes and the store have used.
func (t *turn) costs() (used func() (nodes, store time.Duration, err error), err error) {
	sum := func() (nodes, store time.Duration, err error) {
		add := func(to *time.Duration, p *stage.Process) {
			used, failed := p.CPU()
			*to += used
			if failed != nil {
				err = failed
			}
		}
		add(&nodes, t.from.Process)
		if t.to != t.from {
			add(&nodes, t.to.Process)
		}
		for _, p := range t.store.Servers() {
			add(&store, p)
		}
		return nodes, store, err
	}
	nodes, store, err := sum()
	return func() (time.Duration, time.Duration, error) {
		n, s, err := sum()
		return n - nodes, s - store, err
	}, err
}

// profiled runs f, with a profile of each node written meanwhile if one is wanted.
func (t *turn) profiled(ctx context.Context, length time.Duration, f func() error) error {
	var writers sync.WaitGroup
	if t.profiles != "" {
		for name, n := range map[string]*stage.Node{"from": t.from, "to": t.to} {
			if name == "to" && t.to == t.from {
				continue
			}
			writers.Go(func() {
				b, err := n.Profile(ctx, fmt.Sprintf("profile?seconds=%d", max(1, int(length.Seconds()))))
				if err == nil {
					err = os.WriteFile(t.profiles+"-"+name+".prof", b, 0o644)
				}
				if err != nil {
					fmt.Fprintln(os.Stderr, "no profile:", err)
				}
			})
		}
	}
	err := f()
	writers.Wait()
	return err
}

func profilesOf(dir, part, server string) string {
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, part+"-"+server)
}
