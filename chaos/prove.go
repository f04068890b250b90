package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/finch-go/finch/chaos/internal/broken"
)

// proveRuns is in how many runs, with a seed each, a broken build has to be found.
const proveRuns = 5

// prove runs products that lack something, and shows in how many runs each is found
// broken. An error says that one was not, or that the whole product was.
func prove(ctx context.Context, word string, seed uint64, out io.Writer) error {
	root, err := broken.Root()
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	var failed []string
	for i := range broken.Builds {
		b := &broken.Builds[i]
		if word != "all" && !strings.Contains(b.Name, word) {
			continue
		}
		runs, found, err := proveOne(ctx, b, root, seed, out)
		switch whole := len(b.Edits) == 0; {
		case err != nil:
			return err
		case whole && found == "":
			fmt.Fprintf(w, "  %s\tclean\n", b.Name)
		case found == "":
			failed = append(failed, b.Name)
			fmt.Fprintf(w, "  %s\tNOT found in %d runs\n", b.Name, runs)
		default:
			if whole {
				failed = append(failed, b.Name)
			}
			fmt.Fprintf(w, "  %s\tfound in run %d: %s\n", b.Name, runs, found)
		}
	}
	w.Flush()
	if len(failed) > 0 {
		return fmt.Errorf("not as it should be: %s", strings.Join(failed, "; "))
	}
	return nil
}

// proveOne runs one build until it is found broken, and answers as what.
func proveOne(ctx context.Context, b *broken.Build, root string, seed uint64, out io.Writer) (runs int, found string, err error) {
	dir, err := os.MkdirTemp("", "finch-chaos-prove")
	if err != nil {
		return 0, "", err
	}
	defer os.RemoveAll(dir)
	program, err := b.Make(ctx, root, dir)
	if err != nil {
		return 0, "", err
	}
	most := proveRuns
	if len(b.Edits) == 0 {
		most = 1
	}
	for runs = 1; runs <= most; runs++ {
		begun := time.Now()
		run := exec.CommandContext(ctx, program, append(b.Args, "-seed", fmt.Sprint(seed+uint64(runs)-1))...)
		run.Cancel = func() error { return run.Process.Signal(os.Interrupt) }
		said, err := run.CombinedOutput()
		var ended *exec.ExitError
		switch kinds := brokenAs.FindSubmatch(said); {
		case ctx.Err() != nil:
			return runs, "", ctx.Err()
		case err == nil:
			fmt.Fprintf(out, "%s: run %d found nothing, in %v\n", b.Name, runs, time.Since(begun).Round(time.Second))
		case kinds != nil && errors.As(err, &ended):
			fmt.Fprintf(out, "%s: run %d, in %v: %s\n", b.Name, runs, time.Since(begun).Round(time.Second), kinds[1])
			return runs, string(kinds[1]), nil
		default:
			return runs, "", fmt.Errorf("%s: the run itself failed: %w\n%s", b.Name, err, tailOf(string(said), 20))
		}
	}
	return most, "", nil
}

var brokenAs = regexp.MustCompile(`promises were broken: map\[(.*)\]`)
