package compare

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// startWait is how long a server may take until it listens.
const startWait = 15 * time.Second

// A server is a running process of a subject.
type server struct {
	cmd    *exec.Cmd
	addr   string
	pid    int
	stderr *tail
}

var listening = regexp.MustCompile(`^listening on (\S+) pid (\d+)$`)

// start starts a server on a free port of the loopback, pinned to one processor
// unless cpu is empty. All that Go runs there is on one thread's worth of it.
func start(ctx context.Context, command []string, cpu string) (*server, error) {
	args := pinned(append(slices.Clone(command), "--addr=127.0.0.1:0"), cpu)
	s := &server{cmd: exec.CommandContext(ctx, args[0], args[1:]...), stderr: new(tail)}
	s.cmd.Env = append(os.Environ(), "GOMAXPROCS=1", "NODE_ENV=production")
	s.cmd.Stderr = s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line := make(chan string, 1)
	go func() {
		text, _ := bufio.NewReader(out).ReadString('\n')
		line <- strings.TrimSpace(text)
	}()
	select {
	case text := <-line:
		if m := listening.FindStringSubmatch(text); m != nil {
			s.addr = m[1]
			s.pid, err = strconv.Atoi(m[2])
			return s, err
		}
		err = fmt.Errorf("%s did not start: %s%s", strings.Join(command, " "), text, s.stderr)
	case <-time.After(startWait):
		err = fmt.Errorf("%s does not listen after %v: %s", strings.Join(command, " "), startWait, s.stderr)
	}
	return nil, errors.Join(err, s.stop())
}

// stop ends the process. It has nothing that would be lost.
func (s *server) stop() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}

// pinned puts taskset before a command.
func pinned(command []string, cpu string) []string {
	if cpu == "" {
		return command
	}
	return append([]string{"taskset", "-c", cpu}, command...)
}

// A tail keeps the end of what is written to it. Any goroutine may use it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if over := len(t.b) - tailSize; over > 0 {
		t.b = append(t.b[:0], t.b[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// processors checks the processors that were asked for: server's, then load's.
// On a machine with one nothing is pinned.
func processors(spec string) (server, load string, err error) {
	server, load, ok := strings.Cut(spec, ",")
	for _, cpu := range []string{server, load} {
		if n, err := strconv.Atoi(cpu); err != nil || n < 0 {
			ok = false
		}
	}
	if !ok {
		return "", "", fmt.Errorf("-cpus %s: give two numbers with a comma between, the server's processor and the load's", spec)
	}
	if _, err := exec.LookPath("taskset"); err != nil {
		return "", "", errors.New("taskset is missing; it is in Debian's package util-linux")
	}
	for _, cpu := range []string{server, load} {
		if err := exec.Command("taskset", "-c", cpu, "true").Run(); err != nil {
			return "", "", fmt.Errorf("processor %s is not there; choose others with -cpus", cpu)
		}
	}
	return server, load, nil
}
