package node

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof" // on the default mux, which is served: where the time goes is the next question
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// What every room keeps, on both sides. MaxRooms is how many one client may be in.
const (
	HistorySize = 256
	HistoryAge  = 5 * time.Minute
	MaxRooms    = 2000
)

// Options are the command line of a node.
type Options struct {
	Side   string // finch or centrifuge
	Broker string // redis, nats or embedded
	URL    string // of the broker: host:port for Redis
	Dir    string // of an embedded one
	ID     string
}

// Args are the arguments that Parse understands, behind the word "node".
func (o Options) Args() []string {
	return []string{"node", "-side=" + o.Side, "-broker=" + o.Broker, "-url=" + o.URL, "-dir=" + o.Dir, "-id=" + o.ID}
}

// Parse reads the arguments behind "node".
func Parse(args []string) (o Options, err error) {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	flags.StringVar(&o.Side, "side", "finch", "finch or centrifuge")
	flags.StringVar(&o.Broker, "broker", "redis", "redis, nats or embedded")
	flags.StringVar(&o.URL, "url", "", "where the broker is")
	flags.StringVar(&o.Dir, "dir", "", "where an embedded broker keeps what it has")
	flags.StringVar(&o.ID, "id", "node", "the node's `name`")
	return o, flags.Parse(args)
}

// A side is what is measured: a framework with its broker.
type side interface {
	http.Handler // of the sockets
	// publish records data in a room and delivers it. With a key repeating is
	// harmless. Any goroutine may call it.
	publish(ctx context.Context, room string, data []byte, key string) error
}

// Run serves on a free port of the loopback, tells on standard output where, and
// returns only an error.
func Run(o Options) error {
	var s side
	var err error
	switch o.Side {
	case "finch":
		s, err = newFinch(o)
	case "centrifuge":
		s, err = newCentrifuge(o)
	default:
		err = fmt.Errorf("there is no side %q", o.Side)
	}
	if err != nil {
		return err
	}
	http.Handle("/ws", s)
	http.HandleFunc("/settle", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	load := publisher{side: s}
	for path, publish := range map[string]func(context.Context, Load) (Result, error){
		"/open": load.open, "/closed": load.closed, "/fill": load.fill, "/insist": load.insist,
	} {
		http.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			result, err := publish(r.Context(), parseLoad(r))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_ = json.NewEncoder(w).Encode(result)
		})
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "listening on %s\n", listener.Addr())
	return http.Serve(listener, nil)
}

// A Load says what to publish. Rooms are those with the numbers from 0 on.
type Load struct {
	Rooms    int
	Rate     int // a second
	InFlight int
	For      time.Duration
}

// Query is the load as parameters of a request.
func (l Load) Query() string {
	return fmt.Sprintf("rooms=%d&rate=%d&in_flight=%d&for=%s", l.Rooms, l.Rate, l.InFlight, l.For)
}

func parseLoad(r *http.Request) (l Load) {
	l.Rooms, _ = strconv.Atoi(r.FormValue("rooms"))
	l.Rate, _ = strconv.Atoi(r.FormValue("rate"))
	l.InFlight, _ = strconv.Atoi(r.FormValue("in_flight"))
	l.For, _ = time.ParseDuration(r.FormValue("for"))
	return l
}

// A Result is what became of a load.
type Result struct {
	Published int           `json:"published"`
	Failed    int           `json:"failed"`
	Error     string        `json:"error,omitempty"` // of the last that failed
	Took      time.Duration `json:"took"`
	// Gaps are, by room, the longest time without an acknowledged publish.
	Gaps []time.Duration `json:"gaps,omitempty"`
}
