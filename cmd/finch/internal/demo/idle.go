package demo

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// Holder is who connects sockets that say nothing: another process, so that the
// memory of this one is the server's alone.
type Holder struct {
	// Sockets is how many to hold. Zero: 5,000.
	Sockets int
	// Ready answers why nothing can be held here, or nil. Nil: it can.
	Ready func(sockets int) error
	// Hold connects to /idle and keeps the sockets until ctx ends. Nil: the
	// demo has nobody to hold them.
	Hold func(ctx context.Context, sockets int) error
	// Resident answers how many bytes of this process are in memory.
	Resident func() (int64, error)
}

// Idle is what "idle" tells the pages of this node: how it stands with the sockets
// at /idle. Other nodes have processes of their own, and memory.
type Idle struct {
	State   string `json:"state"`             // "none", "opening", "held" or "closing"
	Held    int    `json:"held"`              // connected now
	Wanted  int    `json:"wanted"`            // when all are
	Bytes   int    `json:"bytes"`             // of memory for each; 0: not known yet
	Problem string `json:"problem,omitempty"` // why it ended, if it went wrong
}

const (
	idleSockets = 5000
	idleFor     = 2 * time.Minute // then they are let go
	idleEvery   = time.Second
	idleGrace   = 15 * time.Second // for the last of them to go
)

// idle holds the sockets, one crowd at a time. They have a manager of their own:
// the other one tells everybody of each who comes.
type idle struct {
	holder   Holder
	crowd    *finch.SocketManager
	everyone *finch.SocketManager
	logger   *slog.Logger

	mu      sync.Mutex // guards everything below
	state   string
	before  int64 // bytes of memory before the first crowd came: some of it stays, and is theirs too
	bytes   int
	problem string
	release context.CancelFunc // while opening or held
}

func newIdle(h *Holder, everyone *finch.SocketManager, logger *slog.Logger) *idle {
	i := &idle{everyone: everyone, logger: logger, state: "none"}
	if h != nil {
		i.holder = *h
	}
	i.holder.Sockets = cmp.Or(i.holder.Sockets, idleSockets)
	i.crowd = finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger})
	finch.OnRequest(everyone, "idle.state", func(context.Context, *finch.Socket, any) (Idle, error) { return i.now(), nil })
	finch.OnRequest(everyone, "idle.hold", func(context.Context, *finch.Socket, any) (Idle, error) {
		err := i.hold()
		return i.now(), err
	})
	finch.OnRequest(everyone, "idle.release", func(context.Context, *finch.Socket, any) (Idle, error) {
		i.mu.Lock()
		if i.release != nil {
			i.release()
		}
		i.mu.Unlock()
		return i.now(), nil
	})
	return i
}

func (i *idle) now() Idle {
	i.mu.Lock()
	defer i.mu.Unlock()
	return Idle{State: i.state, Held: i.crowd.CountClients(), Wanted: i.holder.Sockets, Bytes: i.bytes, Problem: i.problem}
}

// hold begins, if nobody else has.
func (i *idle) hold() error {
	if i.holder.Hold == nil {
		return finch.Errorf(503, "cannot_hold", "this demo runs without anybody who could hold sockets")
	}
	if i.holder.Ready != nil {
		if err := i.holder.Ready(i.holder.Sockets); err != nil {
			return err
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.state != "none" {
		return finch.Errorf(409, "already_held", "the sockets are held already")
	}
	i.state, i.bytes, i.problem = "opening", 0, ""
	ctx, cancel := context.WithTimeout(context.Background(), idleFor)
	i.release = cancel
	go i.run(ctx)
	return nil
}

// run sees the sockets come and go, and tells everyone each second.
func (i *idle) run(ctx context.Context) {
	before := i.resident()
	i.mu.Lock()
	if i.before == 0 || before < i.before {
		i.before = before
	}
	i.mu.Unlock()
	gone := make(chan error, 1)
	go func() { gone <- i.holder.Hold(ctx, i.holder.Sockets) }()
	tick := time.NewTicker(idleEvery)
	defer tick.Stop()
	var end <-chan time.Time
	for {
		i.tell()
		select {
		case <-tick.C:
			i.look()
		case err := <-gone:
			gone, end = nil, time.After(idleGrace)
			i.left(err)
		case <-end:
			i.crowd.Everyone().CloseSockets(1001, "time is up")
		}
		if gone == nil && i.crowd.CountClients() == 0 {
			break
		}
	}
	i.mu.Lock()
	i.state, i.bytes = "none", 0
	i.mu.Unlock()
	debug.FreeOSMemory()
	i.tell()
}

// look weighs the sockets: what the process has grown by, for each.
func (i *idle) look() {
	held := i.crowd.CountClients()
	resident := i.resident()
	i.mu.Lock()
	defer i.mu.Unlock()
	grown := resident - i.before
	if i.state == "opening" && held >= i.holder.Sockets {
		i.state = "held"
	}
	if i.state == "held" && held > 0 && grown > 0 {
		i.bytes = int(grown) / held
	}
}

// left notes that whoever held the sockets has let go.
func (i *idle) left(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.release()
	i.state, i.release = "closing", nil
	if err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		i.problem = err.Error()
		i.logger.Error("demo: the idle sockets were not held", "error", err)
	}
}

// resident is the memory of this process without what is only garbage.
func (i *idle) resident() int64 {
	if i.holder.Resident == nil {
		return 0
	}
	debug.FreeOSMemory()
	n, err := i.holder.Resident()
	if err != nil {
		i.logger.Error("demo: the memory of this process cannot be read", "error", err)
	}
	return n
}

func (i *idle) tell() { sendHere(i.everyone, "idle", i.now()) }
