// Package holder holds the demo's idle sockets in a process of their own.
package holder

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/cmd/finch/internal/bench"
	"github.com/finch-go/finch/cmd/finch/internal/demo"
)

// holdFor is more than the demo wants, which ends it earlier: a child whose
// parent was killed must not stay.
const holdFor = 3 * time.Minute

// holdGrace is how long the child may take to end when it is asked to.
const holdGrace = 5 * time.Second

// New returns who holds idle sockets for a demo that listens at an address:
// this program once more, as `finch bench idle`. It holds nothing after ctx has
// ended.
func New(ctx context.Context, at net.Addr) *demo.Holder {
	return &demo.Holder{
		Ready: func(sockets int) error { return canHold(at, sockets) },
		Hold: func(until context.Context, sockets int) error {
			both, cancel := context.WithCancel(until)
			defer cancel()
			defer context.AfterFunc(ctx, cancel)()
			return holdSockets(both, at, sockets)
		},
		Resident: func() (int64, error) {
			p, err := bench.OpenProcess(os.Getpid(), "", false)
			if err != nil {
				return 0, err
			}
			return p.Memory(ctx)
		},
	}
}

// canHold answers why this demo cannot hold so many sockets, in words for the
// page.
func canHold(at net.Addr, sockets int) error {
	if tcp, ok := at.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return finch.Errorf(403, "not_loopback", "a demo that others can reach does not open thousands of sockets for them; start it on localhost")
	}
	if runtime.GOOS != "linux" {
		return finch.Errorf(501, "needs_linux", "the load generator that holds the sockets needs Linux")
	}
	// One descriptor for each socket in either process, and some for the rest.
	if most, ok := openFiles(); ok && most < uint64(sockets)+256 {
		return finch.Errorf(503, "too_few_files", "a process may have %d open files here, and %d sockets need more; run ulimit -n %d before the demo", most, sockets, sockets+1000)
	}
	return nil
}

// holdSockets runs the child until ctx ends.
func holdSockets(ctx context.Context, at net.Addr, sockets int) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("this program does not find itself: %w", err)
	}
	child := exec.CommandContext(ctx, program, "bench", "idle",
		"--url", "ws://"+at.String()+"/idle", "--sockets", strconv.Itoa(sockets),
		"--duration", holdFor.String(), "--browser", "--quiet")
	var said bytes.Buffer
	child.Stderr = &said
	child.Cancel = func() error { return child.Process.Signal(os.Interrupt) }
	child.WaitDelay = holdGrace
	err = child.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil: // it was asked to
		return nil
	case errors.As(err, &exit):
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return errors.New(strings.TrimPrefix(lines[len(lines)-1], "finch: "))
	}
	return err
}
