//go:build !unix

package child

import (
	"errors"
	"os"
)

// Here no signal makes a process stand still.
var pause, resume os.Signal

func (p *Process) signal(os.Signal) error {
	return errors.New("no process can be paused on this system")
}
