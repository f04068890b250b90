package compare

import (
	"slices"
	"strconv"
	"strings"
)

// A row is one kind of work, measured in one figure: less is better.
type row struct {
	name  string
	title string
	what  string // the figure, with its unit
	note  string // how it is measured, for the page; {sockets} is their number
	// flags of `finch bench` after the address; quick are those of a first look.
	flags, quick []string
	all          bool // at the endpoint that hands on to everyone
	secure       bool // under TLS
	figure       func(r *result) float64
	format       func(v float64) string
	fresh        bool // a server of its own for each measurement
	maxRounds    int  // 0: any number; one of them is enough for a first look
	extra        bool // only when it is asked for
}

// A result is the part of the generator's JSON that is looked at.
type result struct {
	Opened  int    `json:"opened"`
	Sent    uint64 `json:"sent"`
	Errors  uint64 `json:"errors"`
	Latency struct {
		P50 int64 `json:"p50_ns"`
		P99 int64 `json:"p99_ns"`
	} `json:"latency"`
	Handshake struct {
		P99 int64 `json:"p99_ns"`
	} `json:"handshake"`
	Faults struct {
		Lost, Duplicated, Reordered, Corrupt, Unexpected uint64
	} `json:"faults"`
	Server struct {
		CPUPerUnit     float64 `json:"cpu_per_unit_ns"`
		Share          float64 `json:"share"`
		BytesPerSocket float64 `json:"bytes_per_socket"`
	} `json:"server"`
	Generator struct {
		Share float64 `json:"share"`
	} `json:"generator"`
}

func (r *result) faulty() bool {
	f := &r.Faults
	return r.Errors+f.Lost+f.Duplicated+f.Reordered+f.Corrupt+f.Unexpected > 0
}

func cpu(r *result) float64    { return r.Server.CPUPerUnit / 1e3 }
func memory(r *result) float64 { return r.Server.BytesPerSocket / 1e3 }

func micros(v float64) string    { return threeDigits(v) + " µs" }
func kilobytes(v float64) string { return threeDigits(v) + " KB" }

func threeDigits(v float64) string {
	switch {
	case v >= 99.95:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 9.995:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return strconv.FormatFloat(v, 'f', 2, 64)
}

// about is the note with the number of sockets that the flags ask for.
func (r *row) about() string {
	sockets := ""
	if i := slices.Index(r.flags, "--sockets"); i >= 0 && i+1 < len(r.flags) {
		sockets = r.flags[i+1]
	}
	if n := len(sockets); n > 3 {
		sockets = sockets[:n-3] + "," + sockets[n-3:]
	}
	return strings.ReplaceAll(r.note, "{sockets}", sockets)
}

var (
	traffic      = []string{"--warmup", "200ms", "--duration", "500ms"}
	quickTraffic = []string{"--warmup", "200ms", "--duration", "400ms"}
)

func with(flags []string, more ...string) []string { return append(more, flags...) }

var rows = []row{
	{
		name: "idle", title: "Idle socket", what: "memory of the server for each socket",
		note:  "{sockets} sockets with a browser's headers that never spoke; resident memory of the process after it was told to free what it can, less what it was before the first socket",
		flags: []string{"idle", "--sockets", "10000", "--browser", "--duration", "500ms"},
		quick: []string{"idle", "--sockets", "5000", "--browser", "--duration", "100ms"},
		all:   true, figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
	{
		name: "spoken", title: "Idle socket that has spoken", what: "memory of the server for each socket",
		note:   "as above, at the address that sends back, after each socket had sent 1 KB and a ping",
		flags:  []string{"idle", "--touch", "--sockets", "10000", "--browser", "--duration", "500ms"},
		quick:  []string{"idle", "--touch", "--sockets", "5000", "--browser", "--duration", "100ms"},
		figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
	{
		name: "idle-tls", title: "Idle socket under TLS", what: "memory of the server for each socket",
		note:  "{sockets} sockets under TLS 1.3 with a browser's headers that never spoke",
		flags: []string{"idle", "--sockets", "5000", "--browser", "--duration", "500ms"},
		quick: []string{"idle", "--sockets", "2000", "--browser", "--duration", "100ms"},
		all:   true, secure: true, figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
	{
		name: "echo-1", title: "Echo, 1 in flight", what: "CPU of the server for each message",
		note:   "{sockets} sockets, 128 bytes, each socket sends when its last message is back",
		flags:  with(traffic, "echo", "--sockets", "500", "--in-flight", "1"),
		quick:  with(quickTraffic, "echo", "--sockets", "500", "--in-flight", "1"),
		figure: cpu, format: micros,
	},
	{
		name: "echo-16", title: "Echo, 16 in flight", what: "CPU of the server for each message",
		note:   "{sockets} sockets, 128 bytes, each socket has 16 messages under way",
		flags:  with(traffic, "echo", "--sockets", "500", "--in-flight", "16"),
		quick:  with(quickTraffic, "echo", "--sockets", "500", "--in-flight", "16"),
		figure: cpu, format: micros,
	},
	{
		name: "fanout-1", title: "Fan-out, 1 in flight", what: "CPU of the server for each delivery",
		note:  "{sockets} members, 128 bytes, the next message is sent when all have had the last",
		flags: with(traffic, "fanout", "--sockets", "1000", "--in-flight", "1"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--in-flight", "1"),
		all:   true, figure: cpu, format: micros,
	},
	{
		name: "fanout-16", title: "Fan-out, 16 in flight", what: "CPU of the server for each delivery",
		note:  "{sockets} members, 128 bytes, 16 of them send, each when all have had its last message",
		flags: with(traffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		all:   true, figure: cpu, format: micros,
	},
	{
		name: "handshake", title: "Handshake", what: "CPU of the server for each handshake",
		note:   "{sockets} sockets with a browser's headers, 64 handshakes under way at a time",
		flags:  []string{"connect", "--sockets", "2000", "--in-flight", "64", "--browser"},
		quick:  []string{"connect", "--sockets", "1000", "--in-flight", "64", "--browser"},
		figure: cpu, format: micros,
	},
	{
		name: "fanout-15000", title: "Fan-out to 15,000", what: "CPU of the server for each delivery",
		note:  "{sockets} members, 128 bytes, 16 of them send",
		flags: with([]string{"--warmup", "1s", "--duration", "3s"}, "fanout", "--sockets", "15000", "--in-flight", "16"),
		quick: with([]string{"--warmup", "500ms", "--duration", "1s"}, "fanout", "--sockets", "15000", "--in-flight", "16"),
		all:   true, figure: cpu, format: micros, extra: true,
	},
}

// RowNames lists the rows.
func RowNames() []string {
	var names []string
	for _, r := range rows {
		names = append(names, r.name)
	}
	return names
}
