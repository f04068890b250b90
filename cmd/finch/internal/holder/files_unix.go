//go:build unix

package holder

import "syscall"

// openFiles is how many files a process may have open; Go has raised its own
// limit to that when it started.
func openFiles() (most uint64, ok bool) {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0, false
	}
	return uint64(limit.Cur), true
}
