// Command e2e runs the demo and lets real clients use it: Chromium, and the
// WebSocket libraries of Node, Python and Go that people have. Run it from the
// root of the repository:
//
//	go run ./e2e [SUITE...]
//
// A suite whose program is missing is skipped, aloud; if CI or FINCH_CI is set
// it fails instead.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/finch-go/finch/e2e/server"
)

// suite is one group of tests, run as a program of its own with FINCH_URL set.
type suite struct {
	name    string
	command []string
	missing func() string // what it needs and does not find, with the command that installs it; empty = nothing
	asked   bool          // runs only when it is named
}

var suites = []suite{
	{name: "node-ws", command: nodeTest("node-ws.test.mjs"), missing: missingModules},
	{name: "python-websockets", command: []string{python(), "python_websockets.py"}, missing: missingPython},
	{name: "coder-websocket", command: []string{"go", "test", "-race", "-count=1", "./coder"}, missing: func() string { return "" }},
	{name: "original-page", command: nodeTest("original-page.test.mjs"), missing: missingBrowser},
	{name: "browser", command: nodeTest("browser.test.mjs"), missing: missingBrowser},
	{name: "nodes", command: nodeTest("nodes.test.mjs"), missing: missingRedis},
	{name: "pictures", command: []string{"node", "pictures.mjs"}, missing: missingBrowser, asked: true},
}

const suiteWithin = 6 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only []string) error {
	chosen := slices.DeleteFunc(slices.Clone(suites), func(s suite) bool {
		return len(only) > 0 && !slices.Contains(only, s.name) || len(only) == 0 && s.asked
	})
	if len(only) > 0 && len(chosen) != len(only) {
		return fmt.Errorf("unknown suite among %q; there are:%s", only, names())
	}
	root, err := server.Root()
	if err != nil {
		return err
	}
	demo, err := server.Start(ctx, filepath.Join(root, ".out", "e2e"))
	if err != nil {
		return err
	}
	var summary []string
	bad := 0
	for _, s := range chosen {
		outcome, ok := s.run(ctx, filepath.Join(root, "e2e"), demo)
		if !ok {
			bad++
		}
		summary = append(summary, fmt.Sprintf("%-8s %s", outcome, s.name))
	}
	stopped := demo.Stop()
	fmt.Println()
	for _, line := range summary {
		fmt.Println(line)
	}
	if stopped != nil {
		return stopped
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d suites failed", bad, len(chosen))
	}
	return nil
}

func (s suite) run(ctx context.Context, dir string, demo *server.Demo) (outcome string, ok bool) {
	fmt.Printf("== e2e: %s\n", s.name)
	if why := s.missing(); why != "" {
		inCI := os.Getenv("CI") != "" || os.Getenv("FINCH_CI") != ""
		fmt.Printf("SKIPPED: %s\n", why)
		return "SKIPPED", !inCI
	}
	ctx, cancel := context.WithTimeout(ctx, suiteWithin)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.command[0], s.command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "FINCH_URL="+demo.URL, "FINCH_PROGRAM="+demo.Program)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it can close its browser
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil {
		fmt.Printf("%s: %v\n", s.name, err)
		return "FAILED", false
	}
	return "ok", true
}

// nodeTest ends by itself even when a failed test has left a socket open.
func nodeTest(file string) []string {
	return []string{"node", "--test", "--test-reporter=spec", "--test-force-exit", "--test-timeout=300000", file}
}

func names() string {
	var all string
	for _, s := range suites {
		all += " " + s.name
	}
	return all
}

// python is Debian's own interpreter where there is one, because a version
// manager's does not see Debian's packages.
func python() string {
	if _, err := os.Stat("/usr/bin/python3"); err == nil {
		return "/usr/bin/python3"
	}
	return "python3"
}

func missingPython() string {
	if exec.Command(python(), "-c", "import websockets").Run() != nil {
		return "Python's websockets is missing: apt-get install python3-websockets"
	}
	return ""
}

func missingModules() string {
	root, err := server.Root()
	if err != nil {
		return err.Error()
	}
	if _, err := os.Stat(filepath.Join(root, "e2e", "node_modules", "ws")); err != nil {
		return "the Node modules are missing: npm --prefix e2e ci"
	}
	return ""
}

func missingBrowser() string {
	if why := missingModules(); why != "" {
		return why
	}
	for _, name := range []string{os.Getenv("FINCH_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			os.Setenv("FINCH_CHROMIUM", found) // for the suites
			return ""
		}
	}
	return "Chromium is missing: apt-get install chromium (or FINCH_CHROMIUM=/path/to/a/chrome)"
}

func missingRedis() string {
	if why := missingBrowser(); why != "" {
		return why
	}
	for _, name := range []string{os.Getenv("FINCH_REDIS_SERVER"), "redis-server", "valkey-server"} {
		if found, err := exec.LookPath(name); err == nil {
			os.Setenv("FINCH_REDIS_SERVER", found) // for the suite
			return ""
		}
	}
	return "redis-server is missing: apt-get install redis-server (or FINCH_REDIS_SERVER=/path/to/it)"
}
