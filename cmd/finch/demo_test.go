package main

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// run runs the command as a person would, and returns what it printed.
func run(ctx context.Context, args ...string) (out string, err error) {
	root := newRoot()
	var b bytes.Buffer
	root.SetOut(&b)
	root.SetErr(&b)
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	return b.String(), err
}

func TestFinchAloneShowsWhatThereIs(t *testing.T) {
	out, err := run(t.Context())
	if err != nil || !strings.Contains(out, "demo") || !strings.Contains(out, "version") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err = run(t.Context(), "version"); err != nil || !strings.HasPrefix(out, "finch ") {
		t.Errorf("version: %v %q", err, out)
	}
	if _, err = run(t.Context(), "dmeo"); err == nil || !strings.Contains(err.Error(), "demo") {
		t.Errorf("a mistyped command was answered %v", err)
	}
}

func TestABusyPortIsSaidWithTheCommandThatHelps(t *testing.T) {
	taken, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	_, err = run(t.Context(), "demo", "--addr", net.JoinHostPort("localhost", port))
	want := "go run ./cmd/finch demo --addr localhost:" + nextPort(port)
	if err == nil || !strings.Contains(err.Error(), "port "+port+" of localhost is in use") || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want it to say %q", err, want)
	}
}

func TestAnAddressThatIsNoneIsRefused(t *testing.T) {
	for _, addr := range []string{"3000", "localhost", "http://localhost:3000"} {
		if _, err := run(t.Context(), "demo", "--addr", addr); err == nil || !strings.Contains(err.Error(), "HOST:PORT") {
			t.Errorf("--addr %s: %v", addr, err)
		}
	}
}

func TestTheDemoIsOnTheLoopbackUnlessToldOtherwise(t *testing.T) {
	if host, _, err := net.SplitHostPort(demoAddr); err != nil || host != "localhost" {
		t.Errorf("the default is %s, %v", demoAddr, err)
	}
}

func TestTheDemoServesUntilItIsStopped(t *testing.T) {
	for _, addr := range []string{"localhost:0", ":0"} {
		ctx, stop := context.WithCancel(t.Context())
		in, out := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			ended <- serveDemo(ctx, demoOptions{addr: addr}, out)
			out.Close()
		}()
		said := make([]byte, 200)
		n, err := in.Read(said)
		address, ok := strings.CutPrefix(strings.TrimSpace(string(said[:n])), "Finch demo: ")
		if err != nil || !ok {
			t.Fatalf("%s said %q, %v", addr, said[:n], err)
		}
		rest := make(chan string, 1)
		go func() {
			b, _ := io.ReadAll(in)
			rest <- string(b)
		}()
		for _, path := range []string{"/", "/healthz", "/readyz"} {
			answer, err := http.Get(address + path)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				t.Errorf("%s%s: %s", address, path, answer.Status)
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Errorf("a clean stop ended with %v", err)
		}
		if warned := strings.Contains(<-rest, "Anyone who reaches"); warned != (addr == ":0") {
			t.Errorf("%s: warned of the world: %v", addr, warned)
		}
	}
}
