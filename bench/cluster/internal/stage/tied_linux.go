package stage

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

type starting struct {
	cmd *exec.Cmd
	err chan error
}

var (
	starter sync.Once
	starts  chan starting
)

// startTied starts a program that the kernel kills when this one ends. It is tied
// to the thread that started it, so one thread starts them all and never ends.
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
