package stage

import (
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// What is done to processes.
var (
	terminate os.Signal = syscall.SIGTERM
	pause     os.Signal = syscall.SIGSTOP
	resume    os.Signal = syscall.SIGCONT
)

type starting struct {
	cmd *exec.Cmd
	err chan error
}

var (
	starter sync.Once
	starts  chan starting
)

// startTied starts a program that is killed when this one ends, however it ends.
// The kernel ties it to the thread that started it, so one thread does that and
// never ends.
func startTied(cmd *exec.Cmd) error {
	starter.Do(func() {
		starts = make(chan starting)
		go func() {
			runtime.LockOSThread()
			for s := range starts {
				s.err <- s.cmd.Start()
			}
		}()
	})
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s := starting{cmd, make(chan error, 1)}
	starts <- s
	return <-s.err
}
