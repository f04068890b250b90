package child_test

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/child"
)

// until polls a fact, no longer than twenty seconds.
func until(t *testing.T, what string, fact func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !fact(); <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within twenty seconds: %s", what)
		}
	}
}

// state is what the kernel says a process does; empty if there is none.
func state(t *testing.T, id int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", id))
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return rest[:1]
}

func TestProcessThatIsPausedStandsStill(t *testing.T) {
	p := started(t, "obeys", "ready")
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	until(t, "it stands still", func() bool { return state(t, p.ID()) == "T" })
	if err := p.Resume(); err != nil {
		t.Fatal(err)
	}
	until(t, "it goes on", func() bool { return state(t, p.ID()) != "T" })
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if err := p.Pause(); err == nil {
		t.Error("one that has ended was paused")
	}
}

// TestChildrenEndWithTheirParent: the parent is killed, and cannot do anything about
// it. The threads that asked for the children end before, which must not end them.
func TestChildrenEndWithTheirParent(t *testing.T) {
	parent := started(t, "is a parent", "children ")
	var ids []int
	for word := range strings.FieldsSeq(parent.Ready()) {
		id, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	alive := func() (n int) {
		for _, id := range ids {
			if s := state(t, id); s != "" && s != "Z" {
				n++
			}
		}
		return n
	}
	for range 20 {
		if n := alive(); n != children {
			t.Fatalf("%d children live while their parent runs", n)
		}
		<-time.After(5 * time.Millisecond)
	}
	parent.Kill()
	until(t, "the children have ended", func() bool { return alive() == 0 })
}

// TestChildrenAreTiedAnew: the thread that starts them is given back when there are
// none, and the next child needs one that stays.
func TestChildrenAreTiedAnew(t *testing.T) {
	for range 3 {
		one, two := started(t, "serves", "listening on "), started(t, "serves", "listening on ")
		one.Kill()
		for range 10 {
			if two.Ended() {
				t.Fatal("one child ended with another")
			}
			<-time.After(time.Millisecond)
		}
		two.Kill()
	}
}

func TestKernelSaysWhatAProcessUses(t *testing.T) {
	p := started(t, "works", "ready")
	used, err := p.CPU()
	if err != nil || used < 50*time.Millisecond || used > time.Minute {
		t.Errorf("it used %v, %v", used, err)
	}
	held, err := p.Resident()
	if err != nil || held < 1<<20 || held > 1<<30 {
		t.Errorf("it holds %d bytes, %v", held, err)
	}
	files, err := p.Descriptors()
	if err != nil || files < 3 || files > 100 {
		t.Errorf("it has %d files, %v", files, err)
	}
	p.Kill()
	_, a := p.CPU()
	_, b := p.Resident()
	_, c := p.Descriptors()
	for _, err := range []error{a, b, c} {
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("of one that has ended: %v", err)
		}
	}
}

func TestProcessorTimeIsRead(t *testing.T) {
	const stat = "7 (%s) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 1 0 1 2 3\n"
	for _, name := range []string{"a", "a b", "a) b", ")) S 1 2"} {
		if used, ok := child.CPUOf(fmt.Sprintf(stat, name)); !ok || used != 3*time.Second {
			t.Errorf("of %q: %v, %v", name, used, ok)
		}
	}
	for _, bad := range []string{"", "7 (a) S 1", "7 a S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0", "7 (a) S 1 7 7 0 -1 4194560 100 0 0 0 x 50 0"} {
		if used, ok := child.CPUOf(bad); ok {
			t.Errorf("%q: %v", bad, used)
		}
	}
}

func FuzzProcessorTime(f *testing.F) {
	f.Add("7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20\n")
	f.Add("7 (a) S")
	f.Fuzz(func(t *testing.T, stat string) {
		if used, ok := child.CPUOf(stat); used < 0 || !ok && used != 0 {
			t.Errorf("%q: %v, %v", stat, used, ok)
		}
	})
}
