//go:build unix

package child

import (
	"os"
	"syscall"
)

const (
	pause  = syscall.SIGSTOP
	resume = syscall.SIGCONT
)

func (p *Process) signal(s os.Signal) error { return p.cmd.Process.Signal(s) }
