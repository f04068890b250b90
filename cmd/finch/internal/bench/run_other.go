//go:build !linux

package bench

import (
	"context"
	"errors"
	"time"
)

var errLinux = errors.New("the load generator needs Linux: it waits with epoll and reads /proc; the server of `finch bench serve` runs anywhere")

// Run makes the plan happen; on this system it only says that it cannot.
func Run(_ context.Context, p Plan) (*Result, error) {
	if _, err := p.Ready(); err != nil {
		return nil, err
	}
	return nil, errLinux
}

func processCPU(int) (time.Duration, error) { return 0, errLinux }
