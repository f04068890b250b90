package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// build makes the server's program; remove takes it away again.
func build(ctx context.Context, race bool) (program string, remove func(), err error) {
	dir, err := os.MkdirTemp("", "finch-soak")
	if err != nil {
		return "", nil, err
	}
	program = filepath.Join(dir, "finch")
	args := []string{"build", "-o", program}
	if race {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "github.com/finch-go/finch/cmd/finch")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		os.RemoveAll(dir)
		return "", nil, fmt.Errorf("failed to build cmd/finch (soak runs within its repository): %w\n%s", err, out)
	}
	return program, func() { os.RemoveAll(dir) }, nil
}

// server is a process of `finch bench serve`.
type server struct {
	name   string
	addr   string
	pid    int
	tls    bool
	cmd    *exec.Cmd
	ended  chan error
	http   http.Client
	stderr tail
}

var listening = regexp.MustCompile(`^listening on (\S+) pid (\d+)\n$`)

func start(program string, k kind) (*server, error) {
	s := &server{name: k.name, tls: k.tls, ended: make(chan error, 1)}
	s.cmd = exec.Command(program, append([]string{"bench", "serve", "--addr=127.0.0.1:0", "--limits"}, k.flags...)...)
	s.cmd.Stderr = &s.stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	go func() { s.ended <- s.cmd.Wait() }()
	m := listening.FindStringSubmatch(line)
	if m == nil {
		s.kill()
		return nil, fmt.Errorf("%s did not start: %s%s", k.name, line, s.stderr.String())
	}
	s.addr = m[1]
	s.pid, _ = strconv.Atoi(m[2])
	s.http = http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, // a connection that is kept would count
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	return s, nil
}

func (s *server) kill() { s.cmd.Process.Kill() }

// stop interrupts the server, which must end cleanly and have nothing to say
// about itself.
func (s *server) stop() error {
	s.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-s.ended:
		if err != nil {
			return fmt.Errorf("the server ended with %w: %s", err, s.stderr.String())
		}
	case <-time.After(30 * time.Second):
		return errors.New("the server did not end within 30 s of an interrupt")
	}
	if said := s.stderr.String(); strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic") {
		return errors.New("the server said:\n" + said)
	}
	return nil
}

// A holding is what a process holds.
type holding struct {
	goroutines, files       int
	heap, resident          int64
	sockets, queued, panics int64
	received, sent, tooSlow int64
}

// most is the greater of each.
func (h holding) most(o holding) holding {
	return holding{
		max(h.goroutines, o.goroutines), max(h.files, o.files), max(h.heap, o.heap), max(h.resident, o.resident),
		max(h.sockets, o.sockets), max(h.queued, o.queued), max(h.panics, o.panics),
		max(h.received, o.received), max(h.sent, o.sent), max(h.tooSlow, o.tooSlow),
	}
}

func (s *server) get(path string) ([]byte, error) {
	scheme := "http://"
	if s.tls {
		scheme = "https://"
	}
	r, err := s.http.Get(scheme + s.addr + path)
	if err != nil {
		return nil, fmt.Errorf("the server does not answer: %w\n%s", err, s.stderr.String())
	}
	defer r.Body.Close()
	var b bytes.Buffer
	_, err = b.ReadFrom(r.Body)
	return b.Bytes(), err
}

// look reads what the server holds now.
func (s *server) look() (h holding, err error) {
	b, err := s.get("/stats")
	if err != nil {
		return h, err
	}
	var held struct {
		Goroutines int   `json:"goroutines"`
		HeapBytes  int64 `json:"heap_bytes"`
		Manager    struct {
			Sockets, Received, Sent, Slow, Panics int64
			QueuedBytes                           int64 `json:"queued_bytes"`
		} `json:"manager"`
		App struct {
			RawSockets  int64 `json:"raw_sockets"`
			QueuedBytes int64 `json:"queued_bytes"`
			Panics      int64
		} `json:"app"`
	}
	if err := json.Unmarshal(b, &held); err != nil {
		return h, fmt.Errorf("/stats: %w", err)
	}
	files, err := s.files()
	if err != nil {
		return h, err
	}
	resident, err := s.resident()
	m, a := held.Manager, held.App
	return holding{
		held.Goroutines, files, held.HeapBytes, resident,
		m.Sockets + a.RawSockets, m.QueuedBytes + a.QueuedBytes, m.Panics + a.Panics, m.Received, m.Sent, m.Slow,
	}, err
}

func (s *server) files() (int, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.pid))
	return len(files), err
}

func (s *server) resident() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.pid))
	if err != nil {
		return 0, err
	}
	var size, pages int64
	_, err = fmt.Sscan(string(b), &size, &pages)
	return pages * int64(os.Getpagesize()), err
}

// rest waits until the server has nobody left, and as many goroutines and files
// as at the look before, and answers what it holds then.
func (s *server) rest(ctx context.Context) (h holding, err error) {
	end := time.Now().Add(settle)
	for last := (holding{}); ; {
		if _, err := s.get("/settle"); err != nil {
			return h, err
		}
		if h, err = s.look(); err != nil {
			return h, err
		}
		select {
		case <-ctx.Done():
			return h, ctx.Err()
		case <-time.After(time.Second): // the connection that asked has gone too
		}
		if h.files, err = s.files(); err != nil {
			return h, err
		}
		if h.sockets == 0 && h.queued == 0 && h.goroutines == last.goroutines && h.files == last.files || time.Now().After(end) {
			return h, nil
		}
		last = h
	}
}

// tail keeps the end of what was written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const tailSize = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// What a race detector says must not be pushed out by what follows.
	if !bytes.Contains(t.b, []byte("DATA RACE")) || len(t.b) < tailSize {
		t.b = append(t.b, b...)
		if len(t.b) > tailSize && !bytes.Contains(t.b, []byte("DATA RACE")) {
			t.b = t.b[len(t.b)-tailSize:]
		}
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}
