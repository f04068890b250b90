package stage

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// inbox holds the reports about one client until the scenario asks for them.
type inbox struct {
	mu      sync.Mutex // guards everything below
	unread  []Report
	all     []Report
	failed  error
	arrived chan struct{} // closed and renewed at each arrival

	abort context.CancelCauseFunc // ends the scenario
}

func newInbox(abort context.CancelCauseFunc) *inbox {
	return &inbox{arrived: make(chan struct{}), abort: abort}
}

func (in *inbox) add(r Report) {
	if r.Saw == "unknown" {
		in.fail(fmt.Errorf("the driver does not know the command %s", r.Do))
		return
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	in.unread = append(in.unread, r)
	in.all = append(in.all, r)
	in.wake()
}

func (in *inbox) fail(why error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.failed == nil {
		in.failed = why
		in.wake()
		in.abort(why)
	}
}

// wake is called with mu held.
func (in *inbox) wake() {
	close(in.arrived)
	in.arrived = make(chan struct{})
}

// take waits for the first report that fits; those that do not stay.
func (in *inbox) take(ctx context.Context, fits func(Report) bool) (Report, error) {
	for {
		in.mu.Lock()
		if i := slices.IndexFunc(in.unread, fits); i >= 0 {
			r := in.unread[i]
			in.unread = slices.Delete(in.unread, i, i+1)
			in.mu.Unlock()
			return r, nil
		}
		failed, arrived := in.failed, in.arrived
		in.mu.Unlock()
		if failed != nil {
			return Report{}, failed
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Report{}, context.Cause(ctx)
		}
	}
}

// story returns everything that came.
func (in *inbox) story() []Report {
	in.mu.Lock()
	defer in.mu.Unlock()
	return slices.Clone(in.all)
}
