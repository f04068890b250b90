package child_test

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/child"
)

// part makes the test's own program a child: its value is what that does.
const part = "FINCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if what := os.Getenv(part); what != "" {
		play(what)
		return
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

// children is how many a parent has.
const children = 8

// play is what a child does.
func play(what string) {
	switch what {
	case "fails":
		fmt.Fprintln(os.Stderr, "there is no room")
		os.Exit(3)
	case "serves":
		fmt.Print("warming up\nlistening ")
		fmt.Println("on 127.0.0.1:1 and on")
		stay()
	case "obeys":
		asked := make(chan os.Signal, 1)
		signal.Notify(asked, syscall.SIGTERM)
		fmt.Println("ready")
		<-asked
	case "does not obey":
		signal.Ignore(syscall.SIGTERM)
		fmt.Println("ready")
		stay()
	case "talks":
		for i := range 20000 {
			fmt.Printf("line %d of many that nobody reads\n", i)
		}
		fmt.Println("ready")
		stay()
	case "crashes":
		fmt.Print("before\npanic: a bug\n")
		for i := range 20000 {
			fmt.Printf("line %d of many that follow\n", i)
		}
		fmt.Println("the end")
	case "works":
		for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); {
		}
		fmt.Println("ready")
		stay()
	case "is a parent":
		ids := make(chan int)
		for range children {
			go func() {
				runtime.LockOSThread() // so that the thread ends with this function
				ids <- startedChild("serves", "listening on ").ID()
			}()
		}
		fmt.Print("children")
		for range children {
			fmt.Print(" ", <-ids)
		}
		fmt.Println()
		stay()
	}
}

// stay goes on until it is killed, but no longer than any test.
func stay() { <-time.After(2 * time.Minute) }

func startedChild(what, ready string) *child.Process {
	p, err := start(what, ready)
	if err != nil {
		panic(err)
	}
	return p
}

// start starts this program as a child.
func start(what, ready string) (*child.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return child.Start(child.Options{Name: "the child", Program: program, Env: []string{part + "=" + what}, Ready: ready, Anywhere: true})
}

// started starts one that is killed with the test.
func started(t *testing.T, what, ready string) *child.Process {
	t.Helper()
	p, err := start(what, ready)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// leaked answers the stacks of goroutines of this package that do not end.
func leaked() string {
	var left []string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-time.After(10 * time.Millisecond) {
		buf := make([]byte, 1<<20)
		buf = buf[:runtime.Stack(buf, true)]
		left = left[:0]
		for i, stack := range strings.Split(string(buf), "\n\n") {
			if i > 0 && strings.Contains(stack, "finch/internal/child") { // the first is this one
				left = append(left, stack)
			}
		}
		if len(left) == 0 {
			return ""
		}
	}
	return strings.Join(left, "\n\n")
}
