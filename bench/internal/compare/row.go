package compare

import (
	"slices"
	"strconv"
)

// A row is one kind of work, measured in one figure: less is better. What it is
// called stands in words.
type row struct {
	name string
	// flags of `finch bench` after the address; quick are those of a first look.
	flags, quick []string
	at           place
	secure       bool // under TLS
	figure       func(r *result) float64
	format       func(v float64) string
	fresh        bool // a server of its own for each measurement
	maxRounds    int  // 0: any number; one of them is enough for a first look
	extra        bool // only when it is asked for
}

// A place is which of a server's endpoints a row is measured at.
type place uint8

const (
	atEcho   place = iota // sends back
	atAll                 // hands on to everyone
	atRoom                // hands on to the members of a room
	atRooms               // the same, of the room that {room} names
	atTens                // nothing happens; the socket is in three rooms of ten
	atRecord              // records in a room, and hands on to its members
)

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

// sockets is how many the flags ask for, as it is written.
func (r *row) sockets() string {
	n := ""
	if i := slices.Index(r.flags, "--sockets"); i >= 0 && i+1 < len(r.flags) {
		n = r.flags[i+1]
	}
	if len(n) > 3 {
		n = n[:len(n)-3] + "," + n[len(n)-3:]
	}
	return n
}

var (
	traffic      = []string{"--warmup", "200ms", "--duration", "500ms"}
	quickTraffic = []string{"--warmup", "200ms", "--duration", "400ms"}
)

func with(flags []string, more ...string) []string { return append(more, flags...) }

// rows are all, in the order of the page.
var rows = slices.Concat(memoryRows, messageRows, growthRows)

// memoryRows are what sockets hold that do nothing.
var memoryRows = []row{
	{
		name:  "idle",
		flags: []string{"idle", "--sockets", "10000", "--browser", "--duration", "500ms"},
		quick: []string{"idle", "--sockets", "5000", "--browser", "--duration", "100ms"},
		at:    atAll, figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
	{
		name:   "spoken",
		flags:  []string{"idle", "--touch", "--sockets", "10000", "--browser", "--duration", "500ms"},
		quick:  []string{"idle", "--touch", "--sockets", "5000", "--browser", "--duration", "100ms"},
		figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
	{
		name:  "idle-tls",
		flags: []string{"idle", "--sockets", "5000", "--browser", "--duration", "500ms"},
		quick: []string{"idle", "--sockets", "2000", "--browser", "--duration", "100ms"},
		at:    atAll, secure: true, figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
	{
		name:  "idle-rooms",
		flags: []string{"idle", "--sockets", "10000", "--browser", "--duration", "500ms"},
		quick: []string{"idle", "--sockets", "5000", "--browser", "--duration", "100ms"},
		at:    atTens, figure: memory, format: kilobytes, fresh: true, maxRounds: 3,
	},
}

// messageRows are what a message, a delivery or a handshake costs, with as many
// sockets as are usual.
var messageRows = []row{
	{
		name:   "echo-1",
		flags:  with(traffic, "echo", "--sockets", "500", "--in-flight", "1"),
		quick:  with(quickTraffic, "echo", "--sockets", "500", "--in-flight", "1"),
		figure: cpu, format: micros,
	},
	{
		name:   "echo-16",
		flags:  with(traffic, "echo", "--sockets", "500", "--in-flight", "16"),
		quick:  with(quickTraffic, "echo", "--sockets", "500", "--in-flight", "16"),
		figure: cpu, format: micros,
	},
	{
		name:  "fanout-1",
		flags: with(traffic, "fanout", "--sockets", "1000", "--in-flight", "1"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--in-flight", "1"),
		at:    atAll, figure: cpu, format: micros,
	},
	{
		name:  "fanout-16",
		flags: with(traffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		at:    atAll, figure: cpu, format: micros,
	},
	{
		name:   "handshake",
		flags:  []string{"connect", "--sockets", "2000", "--in-flight", "64", "--browser"},
		quick:  []string{"connect", "--sockets", "1000", "--in-flight", "64", "--browser"},
		figure: cpu, format: micros,
	},
	{
		name:  "room-16",
		flags: with(traffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		at:    atRoom, figure: cpu, format: micros,
	},
	{
		name:  "publish-16",
		flags: with(traffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--in-flight", "16"),
		at:    atRecord, figure: cpu, format: micros,
	},
}

// growthRows are what a delivery costs in few and in many sockets and rooms.
var growthRows = []row{
	{
		name:  "room-10",
		flags: with(traffic, "fanout", "--sockets", "10", "--in-flight", "1"),
		quick: with(quickTraffic, "fanout", "--sockets", "10", "--in-flight", "1"),
		at:    atRoom, figure: cpu, format: micros,
	},
	{
		name:  "room-15000",
		flags: with([]string{"--warmup", "1s", "--duration", "3s"}, "fanout", "--sockets", "15000", "--in-flight", "1"),
		quick: with([]string{"--warmup", "500ms", "--duration", "1s"}, "fanout", "--sockets", "15000", "--in-flight", "1"),
		at:    atRoom, figure: cpu, format: micros, maxRounds: 7,
	},
	{
		name:  "rooms-100",
		flags: with(traffic, "fanout", "--sockets", "1000", "--rooms", "100", "--in-flight", "1"),
		quick: with(quickTraffic, "fanout", "--sockets", "1000", "--rooms", "100", "--in-flight", "1"),
		at:    atRooms, figure: cpu, format: micros,
	},
	{
		name:  "rooms-1000",
		flags: with([]string{"--warmup", "1s", "--duration", "2s"}, "fanout", "--sockets", "10000", "--rooms", "1000", "--in-flight", "1"),
		quick: with([]string{"--warmup", "500ms", "--duration", "1s"}, "fanout", "--sockets", "10000", "--rooms", "1000", "--in-flight", "1"),
		at:    atRooms, figure: cpu, format: micros, maxRounds: 7,
	},
	{
		name:  "fanout-15000",
		flags: with([]string{"--warmup", "1s", "--duration", "3s"}, "fanout", "--sockets", "15000", "--in-flight", "16"),
		quick: with([]string{"--warmup", "500ms", "--duration", "1s"}, "fanout", "--sockets", "15000", "--in-flight", "16"),
		at:    atAll, figure: cpu, format: micros, extra: true,
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
