package stage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// A Process is one program that runs, or ran. Its methods are for one goroutine
// at a time, but for those that say otherwise.
type Process struct {
	Name string
	cmd  *exec.Cmd
	said *said
	done chan struct{} // closed when it has ended
	err  error         // how; set before done is closed
}

// launch starts a program. Its standard output is read until a line begins with
// ready, unless that is empty.
func launch(name, program string, args []string, env []string, ready string) (*Process, error) {
	p := &Process{Name: name, said: &said{ready: ready, found: make(chan struct{})}, done: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.WaitDelay = time.Second
	if err := startTied(p.cmd); err != nil {
		return nil, fmt.Errorf("failed to start %s: %w", name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	if ready == "" {
		return p, nil
	}
	select {
	case <-p.said.found:
		return p, nil
	case <-p.done:
		return nil, fmt.Errorf("%s ended at once: %v\n%s", name, p.err, p.said.String())
	case <-time.After(20 * time.Second):
		p.Kill()
		return nil, fmt.Errorf("%s did not say %q within 20 s:\n%s", name, ready, p.said.String())
	}
}

// ID is the number of the process. Any goroutine may ask.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Ended tells whether it has ended. Any goroutine may ask.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Kill ends it without a word, stopped or not, and waits.
func (p *Process) Kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// Stop asks it to end and waits.
func (p *Process) Stop(within time.Duration) error {
	if err := p.cmd.Process.Signal(terminate); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-time.After(within):
		p.Kill()
		return fmt.Errorf("%s did not end within %v", p.Name, within)
	}
}

// Pause stops it in its tracks, and Resume lets it go on.
func (p *Process) Pause() error  { return p.cmd.Process.Signal(pause) }
func (p *Process) Resume() error { return p.cmd.Process.Signal(resume) }

// Said is the end of what it said.
func (p *Process) Said() string { return p.said.String() }

// Descriptors answers how many files it has open.
func (p *Process) Descriptors() (int, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.ID()))
	return len(files), err
}

// said keeps the end of what a process said, and everything from the first word of
// a crash on.
type said struct {
	ready string
	found chan struct{}

	mu      sync.Mutex
	text    []byte
	isReady bool
}

const saidMost = 64 << 10

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if crashed(s.text) && len(s.text) > 4*saidMost {
		return len(b), nil
	}
	s.text = append(s.text, b...)
	if !s.isReady && s.ready != "" && bytes.Contains(s.text, []byte(s.ready)) {
		s.isReady = true
		close(s.found)
	}
	if len(s.text) > 2*saidMost && !crashed(s.text) {
		s.text = append(s.text[:0], s.text[len(s.text)-saidMost:]...)
	}
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}

func crashed(text []byte) bool {
	return bytes.Contains(text, []byte("DATA RACE")) || bytes.Contains(text, []byte("panic: ")) || bytes.Contains(text, []byte("fatal error: "))
}

// Crash is what a process said when it crashed; empty if it did not.
func (p *Process) Crash() string {
	text := p.said.String()
	if !crashed([]byte(text)) {
		return ""
	}
	for _, word := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
		if i := strings.Index(text, word); i >= 0 {
			return text[i:]
		}
	}
	return text
}
