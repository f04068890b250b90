package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/bench"
)

// serveForBench runs `finch bench serve` and returns where it listens.
func serveForBench(t *testing.T, flags ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		root := newRoot()
		root.SetArgs(append([]string{"bench", "serve", "--addr", "127.0.0.1:0"}, flags...))
		root.SetOut(w)
		ended <- root.ExecuteContext(ctx)
		w.Close()
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with: %v", err)
		}
	})
	line, err := bufio.NewReader(r).ReadString('\n')
	m := regexp.MustCompile(`^listening on (127\.0\.0\.1:\d+) pid \d+\n$`).FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the first line is %q: %v", line, err)
	}
	return m[1]
}

func finch(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, progress bytes.Buffer
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(&out)
	root.SetErr(&progress)
	err = root.ExecuteContext(t.Context())
	return out.String(), progress.String(), err
}

func TestBenchPrintsATableOrJSON(t *testing.T) {
	url := "ws://" + serveForBench(t) + "/echo"
	args := []string{"bench", "echo", "--url", url, "--sockets", "3", "--duration", "50ms", "--warmup", "0s"}
	table, _, err := finch(t, args...)
	if err != nil || !strings.Contains(table, "0 lost") || !strings.Contains(table, "|##") {
		t.Errorf("the table: %v\n%s", err, table)
	}
	text, _, err := finch(t, append(args, "--json")...)
	var r bench.Result
	if err != nil || json.Unmarshal([]byte(text), &r) != nil || r.Received == 0 || r.Opened != 3 {
		t.Errorf("the JSON: %v\n%s", err, text)
	}
}

func TestBenchTellsThatItLives(t *testing.T) {
	url := "ws://" + serveForBench(t) + "/echo"
	_, progress, err := finch(t, "bench", "idle", "--url", url, "--sockets", "2", "--duration", "1100ms")
	if err != nil || !strings.Contains(progress, "2 of 2 sockets open") {
		t.Errorf("%v: %q", err, progress)
	}
}

func TestBenchFailsWhenABoundIsNotKept(t *testing.T) {
	url := "ws://" + serveForBench(t) + "/echo"
	out, _, err := finch(t, "bench", "echo", "--url", url, "--duration", "50ms", "--warmup", "0s", "--max-p99", "1ns")
	if err == nil || !strings.Contains(err.Error(), "at p99") || !strings.Contains(out, "latency") {
		t.Errorf("got %v with the table\n%s", err, out)
	}
}

func TestBenchServeSaysWhatItCannotDo(t *testing.T) {
	if _, _, err := finch(t, "bench", "serve", "--engine", "io_uring"); err == nil || !strings.Contains(err.Error(), "epoll or portable") {
		t.Errorf("got %v", err)
	}
}
