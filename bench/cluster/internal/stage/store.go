package stage

import (
	"context"
	"fmt"
	"time"

	"github.com/finch-go/finch/bench/cluster/internal/node"
)

// A Store is what joins the nodes, with its servers.
type Store interface {
	// Node answers how a node reaches it.
	Node() node.Options
	// Servers are its processes; none if it lives in the node.
	Servers() []*Process
	// Memory is what its servers hold in bytes, after they have given back what they
	// do not need.
	Memory(ctx context.Context) (int, error)
	// Reads starts counting how often history and heads are read; the function that it
	// returns answers how often until then.
	Reads(ctx context.Context) (count func() (int, error), err error)
	// Close ends the servers.
	Close()
}

// NewStore starts a store: redis, nats-1, nats-3 or embedded.
func NewStore(ctx context.Context, kind, dir string) (Store, error) {
	switch kind {
	case "redis":
		return newRedis(ctx, dir)
	case "nats-1":
		return newNATS(ctx, dir, 1)
	case "nats-3":
		return newNATS(ctx, dir, 3)
	case "embedded":
		return &embedded{dir: dir}, nil
	}
	return nil, fmt.Errorf("there is no store %q", kind)
}

// startWait is how long a server may take until it answers.
const startWait = 20 * time.Second

// await asks until there is no error.
func await(ctx context.Context, what string, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-tick.C:
		}
	}
}

// embedded is a store inside the one node that there is.
type embedded struct{ dir string }

func (e *embedded) Node() node.Options                  { return node.Options{Broker: "embedded", Dir: e.dir} }
func (e *embedded) Servers() []*Process                 { return nil }
func (e *embedded) Memory(context.Context) (int, error) { return 0, nil }
func (e *embedded) Close()                              {}
func (e *embedded) Reads(context.Context) (func() (int, error), error) {
	return func() (int, error) { return 0, nil }, nil
}
