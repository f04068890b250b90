package bench

import (
	"fmt"
	"io"
	"math"
	"net/url"
	"strings"
	"time"
)

// A Scenario is a kind of load.
type Scenario string

// The scenarios.
const (
	Idle    Scenario = "idle"    // sockets that say nothing
	Echo    Scenario = "echo"    // each socket gets back what it sends
	Fanout  Scenario = "fanout"  // what a few send reaches everyone
	Connect Scenario = "connect" // a storm of handshakes
	Slow    Scenario = "slow"    // as fanout, while some do not read
)

// A Plan says what load to make. Fields that a scenario has no use for are
// ignored.
type Plan struct {
	Scenario Scenario
	URL      string // ws://HOST:PORT/PATH, or wss
	Protocol string // one of Protocols; empty: raw
	Sockets  int    // how many to open

	// Rate is how many messages are due each second, of all sockets together
	// (in a connect storm: how many handshakes). Zero: as fast as InFlight lets.
	Rate float64
	// InFlight is how many messages may be under way when there is no Rate: of
	// each socket in echo, of all in fanout; in a connect storm and before all
	// other scenarios, how many handshakes.
	InFlight int
	// Publishers is how many sockets send in fanout. Zero: one, or without a Rate
	// one for each message in flight.
	Publishers int
	// Rooms is how many rooms the sockets of fanout and slow are spread over: what
	// one sends reaches those of its own. {room} in the URL is the number of a
	// socket's room, from 0. InFlight and Publishers are then those of each room.
	// Zero: one.
	Rooms int
	// SlowSockets is how many sockets do not read in slow. Zero: a tenth.
	SlowSockets int

	Size     int           // bytes of each payload, at least MinSize
	Binary   bool          // send binary frames
	Warmup   time.Duration // load before the measurement
	Duration time.Duration // of the measurement; of the rest in idle
	Timeout  time.Duration // for each handshake, and for the last messages to come

	// Touch makes each socket of idle speak once before it rests: an echo of one
	// kilobyte and a ping.
	Touch bool
	// Browser sends the headers that a browser would.
	Browser bool
	// Header holds further lines, each "Name: value".
	Header []string

	// InsecureSkipVerify takes any certificate: whoever is in between can read
	// everything.
	InsecureSkipVerify bool

	// ServerPID is the process whose CPU time and memory are read. Zero: none.
	ServerPID int
	// SettleURL, if set, is fetched before each reading of memory, so that the
	// server can give back what is only garbage.
	SettleURL string

	// Progress gets a line each second. Nil: nobody.
	Progress io.Writer
}

// maxInFlight leaves one slot for the roll call.
const maxInFlight = maxSlots - 1

// roomMark stands in a URL for the number of a socket's room.
const roomMark = "{room}"

// maxPayload bounds Size.
const maxPayload = 16 << 20

// Ready returns the plan with its defaults filled in, or says what is wrong
// with it.
func (p Plan) Ready() (Plan, error) {
	p.defaults()
	u, err := url.Parse(p.URL)
	switch {
	case p.URL == "":
		return p, fmt.Errorf("which server? Give its address: --url ws://127.0.0.1:3000/ws")
	case err != nil:
		return p, fmt.Errorf("--url %s is not a URL: %w", p.URL, err)
	case u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "":
		return p, fmt.Errorf("--url %s: it must be of the form ws://HOST:PORT/PATH, or wss for TLS", p.URL)
	}
	d, known := dialects[p.Protocol]
	switch {
	case !known:
		return p, fmt.Errorf("--protocol %s: it is one of %s", p.Protocol, protocolList())
	case p.Binary && d.binary == nil:
		return p, fmt.Errorf("--binary: the generator sends no binary frames with --protocol %s", p.Protocol)
	case p.Sockets < 1 || p.Sockets >= maxSenders:
		return p, fmt.Errorf("--sockets %d: it is 1 to %d", p.Sockets, maxSenders-1)
	case p.Rate < 0 || math.IsNaN(p.Rate) || p.Rate > 1e9:
		return p, fmt.Errorf("--rate %v: it is a number of messages each second", p.Rate)
	case p.InFlight < 1 || p.InFlight > maxInFlight:
		return p, fmt.Errorf("--in-flight %d: it is 1 to %d", p.InFlight, maxInFlight)
	case p.Rooms < 1 || p.Rooms > p.Sockets || p.Rooms*p.InFlight > maxInFlight:
		return p, fmt.Errorf("--rooms %d: it is 1 to as many as there are sockets, and times --in-flight at most %d", p.Rooms, maxInFlight)
	case p.Rooms > 1 && !strings.Contains(p.URL, roomMark):
		return p, fmt.Errorf("--rooms %d: the URL must say where a room's number goes, such as /room?room=bench:{room}", p.Rooms)
	case p.Size < MinSize || p.Size > maxPayload:
		return p, fmt.Errorf("--size %d: a payload has %d bytes (its stamp) to %d", p.Size, MinSize, maxPayload)
	case p.Duration <= 0 && (p.Scenario == Echo || p.Scenario == Fanout || p.Scenario == Slow):
		return p, fmt.Errorf("--duration %v: it must be more than nothing", p.Duration)
	case p.Duration < 0 || p.Warmup < 0 || p.Timeout < 0:
		return p, fmt.Errorf("a time must not be negative")
	}
	switch p.Scenario {
	case Idle, Echo, Connect:
	case Fanout, Slow:
		if p.Publishers < 1 || p.Publishers >= maxSlots || p.Publishers*p.Rooms+p.SlowSockets > p.Sockets {
			return p, fmt.Errorf("%d publishers in %d rooms and %d slow sockets do not fit into %d sockets", p.Publishers, p.Rooms, p.SlowSockets, p.Sockets)
		}
	default:
		return p, fmt.Errorf("there is no scenario %q", p.Scenario)
	}
	for _, line := range p.Header {
		if name, _, ok := strings.Cut(line, ":"); !ok || name == "" || strings.ContainsAny(line, "\r\n") {
			return p, fmt.Errorf("--header %q is not of the form \"Name: value\"", line)
		}
	}
	if p.SettleURL != "" {
		if u, err := url.Parse(p.SettleURL); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return p, fmt.Errorf("--settle-url %s: it must be of the form http://HOST:PORT/PATH, or https", p.SettleURL)
		}
	}
	return p, nil
}

func (p *Plan) defaults() {
	if p.Protocol == "" {
		p.Protocol = "raw"
	}
	if p.InFlight == 0 {
		p.InFlight = 1
		if p.Scenario == Connect {
			p.InFlight = 64
		}
	}
	if p.Rooms == 0 {
		p.Rooms = 1
	}
	if p.Size == 0 {
		p.Size = 128
	}
	if p.Timeout == 0 {
		p.Timeout = 10 * time.Second
	}
	if p.Scenario == Slow && p.SlowSockets == 0 {
		p.SlowSockets = max(1, p.Sockets/10)
	}
	if p.Scenario != Slow {
		p.SlowSockets = 0
	}
	if p.Publishers == 0 {
		p.Publishers = 1
		if p.Rate == 0 {
			p.Publishers = max(1, min(p.InFlight, (p.Sockets-p.SlowSockets)/p.Rooms))
		}
	}
}
