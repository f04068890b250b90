package stage

import (
	"context"

	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/server"
)

// A Store is what joins the nodes, with its servers and links. Its methods are for
// one goroutine at a time.
type Store interface {
	// Start starts the servers and waits until they serve.
	Start(ctx context.Context) error
	// Node answers how a node reaches the store.
	Node(index int) server.Node
	// Servers are the processes of the store; none if it lives in the nodes.
	Servers() []*Process
	// Restart starts a server that was killed.
	Restart(i int) error
	// Leader answers which server leads something that matters, as a choice of the
	// number; -1 if nobody knows.
	Leader(ctx context.Context, choice int) int
	// Links are those from a node to the servers, and Routes those that a server
	// needs to reach others.
	Links(node int) []*link.Proxy
	Routes(server int) []*link.Proxy
	// Save makes a copy of what the store has, and Restore puts the store back to
	// it, as if what came since had never been. Both return when the store serves again;
	Save(ctx context.Context) error
	// down is called when nothing is served any more.
	Restore(ctx context.Context, down func()) error
	// Well waits until all servers serve and have what they should.
	Well(ctx context.Context) error
	// Close ends all.
	Close()
}
