package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/finch-go/finch/bench/cluster/internal/measure"
	"github.com/finch-go/finch/bench/cluster/internal/stage"
)

// TestMain lets this program be the nodes and servers of a measurement, as the
// command itself is.
func TestMain(m *testing.M) {
	if ok, err := stage.RunPart(os.Args[1:]); ok {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// missing skips a test aloud, which fails in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("FINCH_CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// TestEveryPartMeasuresEveryServer looks only at whether there are figures: how
// large they are depends on the machine.
func TestEveryPartMeasuresEveryServer(t *testing.T) {
	if runtime.GOOS != "linux" {
		missing(t, "the processes of a cluster are started on Linux only")
	}
	if _, err := stage.RedisProgram(); errors.Is(err, stage.ErrNoRedis) {
		missing(t, err.Error())
	}
	for _, part := range measure.PartNames(measure.Smoke) {
		t.Run(part, func(t *testing.T) {
			var out, progress strings.Builder
			file := filepath.Join(t.TempDir(), "samples.json")
			err := measure.Run(t.Context(), measure.Options{
				Sizes: measure.Smoke, Parts: part, JSON: file, Out: &out, Progress: &progress,
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, &progress)
			}
			if strings.Contains(progress.String(), "FAILED") {
				t.Error(progress.String())
			}
			samples, err := measure.Samples(file)
			if err != nil {
				t.Fatal(err)
			}
			if want := measure.ServersOf(measure.Smoke, part); len(samples) != len(want) {
				t.Errorf("there are %d samples, of %d servers", len(samples), len(want))
			}
			for _, s := range samples {
				for _, fault := range []string{"lost", "repeated", "resets"} {
					if n := s.Figures[fault]; n != 0 && s.Server != peer {
						t.Errorf("%s: %s: %g", s.Server, fault, n)
					}
				}
				for name, figure := range s.Figures {
					if figure == 0 && mustBePositive[name] {
						t.Errorf("%s: %s is 0", s.Server, name)
					}
				}
			}
			if !strings.Contains(out.String(), "| server |") {
				t.Errorf("no table was written:\n%s", &out)
			}
		})
	}
}

// peer is the server whose faults are not ours to mend.
const peer = "centrifuge-redis"

// mustBePositive are the figures that cannot be zero, however small the load.
var mustBePositive = map[string]bool{"p50": true, "p99": true, "rate": true, "half": true, "most": true, "led": true}
