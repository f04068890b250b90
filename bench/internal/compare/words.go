package compare

import (
	"fmt"
	"strings"
)

// words are the pages in one language.
type words struct {
	top      func(r *report) string
	bottom   string
	missing  string // the heading above what was not measured
	columns  [5]string
	rows     map[string]rowWords
	titles   map[string]string // by server; %s is the version
	reasons  map[string]string // by the English reason, where there is another
	caption  func(of rowWords, sockets string, rounds int) string
	figure   func(text string) string
	interval func(low, high string) string
	faulty   func(title string, faulty, rounds int) string
}

func (w *words) titleOf(server, version string) string {
	title := w.titles[server]
	if !strings.Contains(title, "%s") {
		return title
	}
	return strings.ReplaceAll(fmt.Sprintf(title, version), "  ", " ")
}

func (w *words) reasonOf(reason string) string {
	if other := w.reasons[reason]; other != "" {
		return other
	}
	return reason
}

// The reasons that a build or a machine gives; others are errors as they came.
const (
	reasonNoNode  = "Node is not installed"
	reasonNoBun   = "npm has no Bun for this platform"
	reasonOneOnly = "it is the only engine of this build"
)

var english = words{
	top: func(r *report) string {
		node := ""
		if r.Node != "" {
			node = ", Node " + r.Node
		}
		quick := ""
		if r.Quick {
			quick = "\nThis was a quick look: few, short rounds. The intervals are wide.\n"
		}
		return fmt.Sprintf(`# Benchmarks

Measured on %s by `+"`make bench` at commit `%s`"+`: %s, %d processors, Linux %s, Go %s%s.

Each server runs on one processor (`+"`GOMAXPROCS=1`"+`, pinned) and the load, `+"`finch bench`"+`, on another. CPU is what the operating
system charged the server's process, system calls and garbage collection included, divided by the messages that arrived in that
time. Memory is the process's resident memory, without the kernel's own of each socket, which is the same for all. The servers
take turns in every round, in an order drawn anew; a ratio is taken within a round, and its interval holds the median in 95 of
100 cases (percentile bootstrap). Compare ratios: times of another machine or day are others. Compression is off everywhere.

Finch echoes on a raw socket, or with its envelopes where the line says so, and hands on with its envelopes. Centrifuge and
Socket.IO have envelopes of their own, the others none; what an envelope costs is part of the figure. The raw loop reads and
writes and does nothing else, each delivery by itself: the limit, where there is nothing to write together. The other servers are in
`+"`bench/internal/peer` and `bench/node`"+`.
%s`, r.Date, r.Commit, r.Processor, r.CPUs, r.Kernel, r.Go, node, quick)
	},
	missing: "Not measured",
	columns: [5]string{"server", "median", "× Finch", "interval of ×", "latency p99"},
	caption: func(of rowWords, sockets string, rounds int) string {
		return fmt.Sprintf("%s: %s. %s; less is better.", of.what, strings.ReplaceAll(of.how, "{sockets}", sockets), plural(rounds, "round"))
	},
	figure:   func(text string) string { return text },
	interval: func(low, high string) string { return low + " to " + high },
	faulty: func(title string, faulty, rounds int) string {
		return fmt.Sprintf("%s lost, doubled or reordered messages or dropped sockets in %d of %s.", title, faulty, plural(rounds, "round"))
	},
	titles: map[string]string{
		"finch": "**Finch**", "finch-envelope": "**Finch**, envelopes", "finch-portable": "**Finch**, portable engine",
		"raw": "raw loop", "bun": "Bun %s (uWebSockets)", "gws": "gws %s",
		"gorilla": "gorilla/websocket %s, hub", "melody": "melody %s", "coder": "coder/websocket %s, hub",
		"centrifuge": "Centrifuge %s", "ws": "ws %s (Node)", "socket.io": "Socket.IO %s (Node)",
	},
	rows: englishRows,
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
