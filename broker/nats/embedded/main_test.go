package embedded_test

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// TestMain plays a server when it is asked to (see internal/servers), and else
// fails the run if a goroutine of this module, of the client or of the server
// outlives its tests.
func TestMain(m *testing.M) {
	if os.Getenv(servers.Variable) != "" {
		os.Exit(servers.Play())
	}
	code := m.Run()
	if code == 0 {
		if left := leaked(); left != "" {
			fmt.Fprint(os.Stderr, "goroutines were left behind:\n", left, "\n")
			code = 1
		}
	}
	os.Exit(code)
}

// leaked answers the stacks of goroutines that should have ended, after a fair
// wait for them.
func leaked() string {
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		buf := make([]byte, 8<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = left[:0]
		for i, stack := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(stack, "nats") { // the first is this one
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, "\n\n")
}
