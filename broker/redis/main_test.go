package redis_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain plays a node when it is asked to, and else fails the run if a goroutine
// of this module, or of its client, outlives the tests.
func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(playNode())
	}
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			os.Stderr.WriteString("goroutines were left behind:\n" + left)
			code = 1
		}
	}
	os.Exit(code)
}

// leaked answers the stacks of goroutines that were left behind, after a fair
// wait for them to end: the client closes connections that it does not need any
// more after five seconds.
func leaked() string {
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); wait(10 * time.Millisecond) {
		buf := make([]byte, 4<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = left[:0]
		for i, stack := range strings.Split(string(buf), "\n\n") {
			if i > 0 && (strings.Contains(stack, "github.com/finch-go/finch") || strings.Contains(stack, "rueidis")) { // the first is this one
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, "\n\n")
}
