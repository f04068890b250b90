package compare

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// method says how and where it was measured.
func (c *comparison) method() string {
	var b strings.Builder
	date := time.Now().UTC().Format(time.DateOnly)
	fmt.Fprintf(&b, "Measured on %s by `go run ./bench` at commit `%s`. ", date, firstLine(c.tools.root, "git", "describe", "--always", "--dirty", "--abbrev=12"))
	fmt.Fprintf(&b, "Machine: %s, %d processors, Linux %s. %s", processor(), runtime.NumCPU(), firstLine("", "uname", "-r"), capital(runtime.Version()))
	if c.tools.node != "" {
		fmt.Fprintf(&b, ", Node %s", firstLine("", c.tools.node, "--version"))
	}
	b.WriteString(".\n\n")
	b.WriteString("Each server runs on one processor (`GOMAXPROCS=1`, pinned) and the load, `finch bench`, on another. " +
		"CPU is what the operating system charged the server's process, system calls and garbage collection included, divided by the messages that arrived in that time; " +
		"memory is the process's resident memory, without the kernel's own of each socket, which is the same for all. " +
		"The servers take turns in every round, in an order drawn anew; a ratio is taken within a round, and its interval holds the median in 95 of 100 cases (percentile bootstrap). " +
		"Compare ratios; times of another machine or day are others. Compression is off everywhere.\n\n" +
		"The other servers are in `bench/internal/peer` and `bench/node`. Finch echoes on a raw socket, or where the line says so with its envelopes, and hands on with its envelopes; " +
		"Centrifuge and Socket.IO have envelopes of their own, the others none. What an envelope costs is part of the figure.\n")
	if c.o.Quick {
		b.WriteString("\nThis was a quick look: few, short rounds. The intervals are wide.\n")
	}
	return b.String()
}

// processor is the model's name as the kernel has it.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOARCH
}

// firstLine is what a program prints first; "unknown" if it fails.
func firstLine(dir, name string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		return "unknown"
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
