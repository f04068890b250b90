package child_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/child"
)

func TestLineThatSaysReadyIsAnswered(t *testing.T) {
	p := started(t, "serves", "listening on ")
	if got := p.Ready(); got != "127.0.0.1:1 and on" {
		t.Errorf("the rest of the line is %q", got)
	}
	if p.Ended() || p.ID() == 0 {
		t.Errorf("process %d has ended: %v", p.ID(), p.Ended())
	}
	p.Kill()
	if !p.Ended() {
		t.Error("it was killed and has not ended")
	}
	p.Kill() // again
}

func TestProgramThatEndsAtOnceSaysWhy(t *testing.T) {
	_, err := start("fails", "ready")
	if err == nil {
		t.Fatal("it is ready")
	}
	for _, want := range []string{"the child has ended", "exit status 3", "there is no room"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestProgramThatIsMissingIsNotStarted(t *testing.T) {
	_, err := child.Start(child.Options{Program: "no-such-program-of-finch", Anywhere: true})
	if err == nil || !strings.Contains(err.Error(), "failed to start no-such-program-of-finch") {
		t.Errorf("the error is %v", err)
	}
	// What was not started does not count as running: the next one is still tied.
	started(t, "serves", "listening on ").Kill()
}

func TestProcessIsAwaited(t *testing.T) {
	p := started(t, "serves", "listening on ")
	times := 0
	err := p.Await(t.Context(), func() error {
		if times++; times < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil || times != 3 {
		t.Errorf("it was asked %d times: %v", times, err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	no := errors.New("no answer")
	if err := p.Await(ctx, func() error { return no }); !errors.Is(err, no) || !strings.Contains(err.Error(), "warming up") {
		t.Errorf("who does not answer is %v", err)
	}
}

func TestProcessThatHasEndedIsNotAwaited(t *testing.T) {
	p := started(t, "fails", "")
	if err := p.Await(t.Context(), func() error { return errors.New("not yet") }); err == nil || !strings.Contains(err.Error(), "there is no room") {
		t.Errorf("the error is %v", err)
	}
	if err := p.Await(t.Context(), func() error { return nil }); err == nil {
		t.Error("somebody else's answer was taken for that of a process that has ended")
	}
}

func TestEndOfWhatWasSaidIsKept(t *testing.T) {
	p := started(t, "talks", "ready")
	said := p.Said()
	if !strings.HasSuffix(said, "line 19999 of many that nobody reads\nready\n") {
		t.Errorf("it ends with %q", said[max(0, len(said)-80):])
	}
	if len(said) < 64<<10 || len(said) > 256<<10 {
		t.Errorf("%d bytes are kept", len(said))
	}
	if crash := p.Crash(); crash != "" {
		t.Errorf("it crashed: %q", crash)
	}
}

func TestCrashIsNotPushedOut(t *testing.T) {
	p := started(t, "crashes", "")
	<-p.Done()
	crash := p.Crash()
	if !strings.HasPrefix(crash, "panic: a bug\nline 0 of many") {
		t.Errorf("the crash begins with %q", crash[:min(len(crash), 80)])
	}
	if len(crash) < 64<<10 || len(crash) > 512<<10 {
		t.Errorf("%d bytes are kept", len(crash))
	}
	if !strings.HasPrefix(p.Said(), "before\npanic: ") {
		t.Error("what came before the crash is gone")
	}
}

func TestCrashIsFoundInPieces(t *testing.T) {
	long := strings.Repeat("more of it\n", 20000)
	for _, row := range []struct {
		pieces []string
		want   string // what the crash begins with
	}{
		{[]string{"all is", " well\n"}, ""},
		{[]string{"well\nWARNING: DATA RAC", "E\n"}, "WARNING: DATA RACE\n"},
		{[]string{"pan", "ic", ": a\n", "fatal error: b\n"}, "panic: a\nfatal error: b\n"},
		{[]string{"fatal error: a\npanic: b\n"}, "fatal error: a\npanic: b\n"},
		{[]string{long, "panic: a\n" + long}, "panic: a\nmore of it\n"},
	} {
		text, crash := child.Heard(row.pieces...)
		if !strings.HasPrefix(crash, row.want) || (crash == "") != (row.want == "") || !strings.HasSuffix(text, crash) {
			t.Errorf("of %.40q the crash is %.40q, not %q", row.pieces, crash, row.want)
		}
	}
}

func TestPortsAreGivenOnce(t *testing.T) {
	seen := map[int]bool{}
	for range 20 {
		ports, err := child.FreePorts(5)
		if err != nil || len(ports) != 5 {
			t.Fatalf("%v, %v", ports, err)
		}
		for _, port := range ports {
			if seen[port] || port < 12000 || port >= 32000 {
				t.Errorf("port %d was given before: %v", port, seen[port])
			}
			seen[port] = true
		}
	}
}

// The kernel keeps the claims, so that no program is given a port twice.
func TestPortIsClaimedWhileNobodyListens(t *testing.T) {
	ports, err := child.FreePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, port := range ports {
		if child.Claim(port) {
			t.Errorf("port %d can be claimed again", port)
		}
		l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if err != nil {
			t.Fatalf("the port that was given cannot be used: %v", err)
		}
		l.Close()
	}
}
