// Command suite holds a client of Finch, written in any language, to the wire:
// it plays the server of many scenarios, and steers the client through a driver.
// README.md says how to write one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"

	"github.com/finch-go/finch/clients/suite/internal/scenarios"
	"github.com/finch-go/finch/clients/suite/internal/stage"
)

// The exit statuses.
const (
	passed = iota
	failed
	notRun
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:])
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("suite", flag.ContinueOnError)
	var cfg stage.Config
	flags.StringVar(&cfg.Driver, "driver", "", "`command` that starts the driver: words separated by blanks")
	flags.IntVar(&cfg.Parallel, "parallel", 8, "how many scenarios to play at a time")
	flags.BoolVar(&cfg.Strict, "strict", os.Getenv("CI") != "" || os.Getenv("FINCH_CI") != "", "a skipped scenario is a failed one")
	flags.Func("lacks", "`features` that the client may lack all the same, with commas between", func(list string) error {
		cfg.MayLack = strings.Split(list, ",")
		return nil
	})
	flags.BoolVar(&cfg.Trace, "v", false, "show every command and report")
	only := flags.String("run", "", "play only the scenarios whose name matches this regular `expression`")
	list := flags.Bool("list", false, "list the scenarios")
	if err := flags.Parse(args); err != nil {
		return notRun
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite: -run:", err)
		return notRun
	}
	all := slices.DeleteFunc(scenarios.All(), func(s stage.Scenario) bool { return !match.MatchString(s.Name) })
	switch {
	case *list:
		for _, s := range all {
			fmt.Printf("%s\n\t%s\n", s.Name, s.Checks)
		}
		return passed
	case len(all) == 0:
		fmt.Fprintf(os.Stderr, "suite: no scenario matches %s; -list shows them\n", *only)
		return notRun
	case cfg.Driver == "":
		fmt.Fprintln(os.Stderr, `suite: say which client to test: -driver "command that starts a driver"`)
		return notRun
	}
	cfg.Out = os.Stdout
	results, err := stage.Run(ctx, all, cfg)
	if err != nil {
		fmt.Fprintln(os.Stderr, "suite:", err)
		return notRun
	}
	return summary(results)
}

// summary prints what became of all, the skipped by name.
func summary(results []stage.Result) int {
	var bad, skipped []string
	for _, r := range results {
		switch {
		case r.Err != nil:
			bad = append(bad, r.Scenario.Name)
		case len(r.Lacks) > 0:
			skipped = append(skipped, r.Scenario.Name)
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", len(results)-len(bad)-len(skipped), len(bad), len(skipped))
	for _, name := range skipped {
		fmt.Println("skipped:", name)
	}
	for _, name := range bad {
		fmt.Println("failed:", name)
	}
	if len(bad) > 0 {
		return failed
	}
	return passed
}
