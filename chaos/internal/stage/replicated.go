package stage

import "context"

// A Replicated store has masters that acknowledge before their replicas have what
// they write, so that a failover may lose the end of it. Its methods are for one
// goroutine at a time, but for Claims.
type Replicated interface {
	Store
	// Master answers a server that is a master now, and Replica one that is not, as a
	// choice of the number.
	Master(ctx context.Context, choice int) (int, error)
	Replica(ctx context.Context, choice int) (int, error)
	// Hold lets the replicas of a master take nothing more from it, until Release.
	Hold(ctx context.Context, master int) error
	Release(ctx context.Context) error
	// Keeps answers which rooms a master has.
	Keeps(ctx context.Context, master int) (func(room string) bool, error)
	// Promoted waits until another server is the master instead of one.
	Promoted(ctx context.Context, old int) error
	// Claims answers which servers say that they are masters, and whether all have
	// answered and there are as many as there should be. Any goroutine may call it.
	Claims(ctx context.Context) (masters string, settled bool)
}
