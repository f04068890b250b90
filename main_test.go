package finch_test

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain plays the crowd when it is asked to (see crowd_test.go), and else
// fails the run if a goroutine of this module outlives its tests.
func TestMain(m *testing.M) {
	if os.Getenv(crowdVariable) != "" {
		os.Exit(playCrowd())
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

// leaked answers the stacks of goroutines that run this module's code, after
// a fair wait for them to end.
func leaked() string {
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		buf := make([]byte, 4<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = left[:0]
		for i, stack := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(stack, "github.com/finch-go/finch") { // the first is this one
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, "\n\n")
}
