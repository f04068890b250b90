//go:build !linux

package stage

import (
	"errors"
	"os/exec"
)

func startTied(*exec.Cmd) error {
	return errors.New("the processes of a cluster are started on Linux only")
}
