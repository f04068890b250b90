//go:build !linux

package stage

import (
	"errors"
	"os"
	"os/exec"
)

// There are no such signals everywhere; the harness does not run there.
var terminate, pause, resume = os.Interrupt, os.Kill, os.Kill

func startTied(*exec.Cmd) error { return errors.New("stopping and killing processes needs Linux") }
