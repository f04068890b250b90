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

// rowWords are a row in one language.
type rowWords struct {
	title string
	what  string // the figure
	how   string // it is measured; {sockets} is their number
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
	rows: map[string]rowWords{
		"idle": {
			"Idle socket", "Memory of the server for each socket",
			"{sockets} sockets with a browser's headers that never spoke; resident memory of the process after it was told to free what it can, less what it was before the first socket",
		},
		"spoken": {
			"Idle socket that has spoken", "Memory of the server for each socket",
			"as above, at the address that sends back, after each of {sockets} sockets had sent 1 KB and a ping",
		},
		"idle-tls": {
			"Idle socket under TLS", "Memory of the server for each socket",
			"{sockets} sockets under TLS 1.3 with a browser's headers that never spoke",
		},
		"idle-rooms": {
			"Idle socket in three rooms", "Memory of the server for each socket",
			"{sockets} sockets with a browser's headers that never spoke, each in three rooms of ten that keep history and say who is in them; the rooms are part of it",
		},
		"echo-1": {
			"Echo, 1 in flight", "CPU of the server for each message",
			"{sockets} sockets, 128 bytes, each socket sends when its last message is back",
		},
		"echo-16": {
			"Echo, 16 in flight", "CPU of the server for each message",
			"{sockets} sockets, 128 bytes, each socket has 16 messages under way",
		},
		"fanout-1": {
			"Fan-out, 1 in flight", "CPU of the server for each delivery",
			"{sockets} members, 128 bytes, the next message is sent when all have had the last",
		},
		"fanout-16": {
			"Fan-out, 16 in flight", "CPU of the server for each delivery",
			"{sockets} members, 128 bytes, 16 of them send, each when all have had its last message",
		},
		"handshake": {
			"Handshake", "CPU of the server for each handshake",
			"{sockets} sockets with a browser's headers, 64 handshakes under way at a time",
		},
		"room-16": {
			"A room, 16 in flight", "CPU of the server for each delivery",
			"{sockets} members of one room, 128 bytes, 16 of them send to it",
		},
		"publish-16": {
			"A room that records, 16 in flight", "CPU of the server for each delivery",
			"as above, but each message is recorded, with a position, and can be recovered",
		},
		"room-10": {
			"Growth: 10 members", "CPU of the server for each delivery",
			"{sockets} members of one room, 128 bytes, 1 in flight",
		},
		"room-15000": {
			"Growth: 15,000 members", "CPU of the server for each delivery",
			"{sockets} members of one room, 128 bytes, 1 in flight",
		},
		"rooms-100": {
			"Growth: 100 rooms", "CPU of the server for each delivery",
			"{sockets} sockets in 100 rooms of 10, 128 bytes, 1 in flight in each room",
		},
		"rooms-1000": {
			"Growth: 1,000 rooms", "CPU of the server for each delivery",
			"{sockets} sockets in 1,000 rooms of 10, 128 bytes, 1 in flight in each room",
		},
		"fanout-15000": {
			"Fan-out to 15,000", "CPU of the server for each delivery",
			"{sockets} members, 128 bytes, 16 of them send",
		},
	},
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
