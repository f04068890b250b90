// Package redisserver finds the program of Redis or Valkey on this machine. It starts
// nothing, and speaks to nobody.
//
// Like [github.com/finch-go/finch/internal/child], it is for tests, and for the
// modules that test and measure.
package redisserver

import (
	"errors"
	"os"
	"os/exec"
)

// ErrMissing says that there is no such program, and what to do.
var ErrMissing = errors.New("redis-server is missing: apt-get install redis-server, or set FINCH_REDIS_SERVER to the path of redis-server or valkey-server")

// Program answers the path of the program: what the environment variable
// FINCH_REDIS_SERVER names, or else redis-server or valkey-server on the PATH. The
// only error is [ErrMissing].
func Program() (string, error) {
	for _, name := range []string{os.Getenv("FINCH_REDIS_SERVER"), "redis-server", "valkey-server"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", ErrMissing
}

// A Test is as much of a [testing.TB] as Need calls, so that programs that only look
// for the program do not carry package testing.
type Test interface {
	Helper()
	Skip(why ...any)
	Fatal(why ...any)
}

// Need answers the path of the program, or skips a test aloud, which fails in CI.
func Need(t Test) string {
	t.Helper()
	program, err := Program()
	switch {
	case err == nil:
	case os.Getenv("CI") != "" || os.Getenv("FINCH_CI") != "":
		t.Fatal(err)
	default:
		t.Skip(err)
	}
	return program
}
