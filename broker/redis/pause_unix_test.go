//go:build unix

package redis_test

import "syscall"

// The signals that make a server stand still, and go on.
const (
	standStill = syscall.SIGSTOP
	goOn       = syscall.SIGCONT
)
