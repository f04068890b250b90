// Package server builds cmd/finch and runs its demo for a test, on a free port
// of this machine. Tests that start and kill demos of their own find the program
// that it built in FINCH_PROGRAM.
package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	readyWithin = 20 * time.Second
	stopWithin  = 15 * time.Second
)

// Demo is a running `finch demo`. Its methods may be called from one goroutine.
type Demo struct {
	URL     string // http://127.0.0.1:PORT
	Program string // the file that was built

	cmd   *exec.Cmd
	log   string // the file that holds what it printed
	ended chan error
}

// Start builds the demo with the race detector and waits until it is ready.
// What it prints goes to a file in dir, which is made if it does not exist.
func Start(ctx context.Context, dir string) (*Demo, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	program, err := filepath.Abs(filepath.Join(dir, "finch"))
	if err != nil {
		return nil, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-race", "-o", program, "./cmd/finch")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("failed to build cmd/finch: %w\n%s", err, out)
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // the program has its own copy
	d := &Demo{URL: "http://" + addr, Program: program, log: log.Name(), ended: make(chan error, 1)}
	d.cmd = exec.Command(program, "demo", "--addr", addr)
	d.cmd.Stdout, d.cmd.Stderr = log, log
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { d.ended <- d.cmd.Wait() }()
	if err := d.waitReady(ctx); err != nil {
		d.cmd.Process.Kill()
		printed, _ := os.ReadFile(d.log)
		return nil, fmt.Errorf("%w; it printed:\n%s", err, printed)
	}
	return d, nil
}

// Stop interrupts the demo as Ctrl-C does, and answers an error if it does not
// end cleanly, or if the race detector or a panic has spoken while it ran.
func (d *Demo) Stop() error {
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		return fmt.Errorf("the demo was gone before it was stopped: %w", errors.Join(err, <-d.ended))
	}
	select {
	case err := <-d.ended:
		if err != nil {
			return fmt.Errorf("the demo did not end cleanly: %w (its log is %s)", err, d.log)
		}
	case <-time.After(stopWithin):
		d.cmd.Process.Kill()
		return fmt.Errorf("the demo did not end within %v of an interrupt (its log is %s)", stopWithin, d.log)
	}
	printed, err := os.ReadFile(d.log)
	if err != nil {
		return err
	}
	for _, bad := range []string{"WARNING: DATA RACE", "panic:", "goroutine "} {
		if bytes.Contains(printed, []byte(bad)) {
			return fmt.Errorf("the demo printed %q (its log is %s)", bad, d.log)
		}
	}
	return nil
}

func (d *Demo) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		if ready(ctx, d.URL+"/readyz") {
			return nil
		}
		select {
		case err := <-d.ended:
			d.ended <- err
			return fmt.Errorf("the demo ended before it was ready: %v", err)
		case <-ctx.Done():
			return fmt.Errorf("the demo was not ready within %v", readyWithin)
		case <-again.C:
		}
	}
}

func ready(ctx context.Context, url string) bool {
	rq, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	answer, err := http.DefaultClient.Do(rq)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// freeAddr asks the system for a port that is free now. Another program may take
// it before the demo does; then the demo says so, and the test fails.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// Root finds the folder of the repository: the nearest one above with go.work.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no folder above %s has a go.work", start)
		}
	}
}
