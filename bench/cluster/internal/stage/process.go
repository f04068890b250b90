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

// startWait is how long a process may take until it serves.
const startWait = 20 * time.Second

// A Process is a program that runs. Any goroutine may use it.
type Process struct {
	Name string
	cmd  *exec.Cmd
	said *said
	done chan struct{} // closed when it has ended
}

// launch starts a program and waits until it has said a line that begins with
// ready, whose rest it answers; an empty ready waits for nothing.
func launch(name, program string, args []string, ready string) (p *Process, rest string, err error) {
	p = &Process{Name: name, said: &said{ready: ready, found: make(chan string, 1)}, done: make(chan struct{})}
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	if err := startTied(p.cmd); err != nil {
		return nil, "", fmt.Errorf("failed to start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // it is killed, always
		close(p.done)
	}()
	if ready == "" {
		return p, "", nil
	}
	select {
	case rest := <-p.said.found:
		return p, rest, nil
	case <-p.done:
		return nil, "", fmt.Errorf("%s ended at once: %s", name, p.Said())
	case <-time.After(startWait):
		p.Kill()
		return nil, "", fmt.Errorf("%s does not serve after %v: %s", name, startWait, p.Said())
	}
}

// Kill ends it without a word, and waits. To kill it again is fine.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // an error says that it has ended
	<-p.done
}

// Ended tells whether it has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Said is the end of what it said.
func (p *Process) Said() string { return p.said.String() }

// Resident is its resident memory in bytes.
func (p *Process) Resident() (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	var size, pages int
	if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
		return 0, err
	}
	return pages * os.Getpagesize(), nil
}

// ticks is how many the kernel counts in a second of processor time: 100 on every
// Linux that Go runs on.
const ticks = 100

// CPU is the processor time that it has used, system calls included.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may hold anything; user and system time are the
	// twelfth and thirteenth field behind it.
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("%s: what the kernel says is no statistic: %s", p.Name, b)
	}
	var user, system int
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * time.Second / ticks, nil
}

// said keeps the end of what a process says, and looks for one line.
type said struct {
	ready string
	found chan string // of one

	mu   sync.Mutex
	text []byte
	told bool
}

const saidMost = 16 << 10

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b...)
	if !s.told && s.ready != "" {
		if _, rest, ok := bytes.Cut(s.text, []byte(s.ready)); ok {
			if line, _, whole := bytes.Cut(rest, []byte("\n")); whole {
				s.told = true
				s.found <- string(line)
			}
		}
	}
	if over := len(s.text) - saidMost; over > 0 {
		s.text = append(s.text[:0], s.text[over:]...)
	}
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text)
}
