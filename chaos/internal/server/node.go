package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/redis"
	natsgo "github.com/nats-io/nats.go"
)

// Grace is how long a client that vanished counts as present, and Lease how long
// a node. Both are shorter than an app would have them: a run takes less than a
// minute.
const (
	Grace = 2 * time.Second
	Lease = 4 * time.Second
)

// A Node is the command line of a node.
type Node struct {
	Listen   string        // host:port
	ID       string        // empty: random
	Broker   string        // memory, embedded, nats, redis …
	URL      string        // of the store
	Sentinel string        // the name of the master, if URL is of Sentinels
	Dir      string        // of an embedded one
	Drain    time.Duration // how long a graceful end may take
}

// Args are the arguments that ParseNode understands.
func (n Node) Args() []string {
	return []string{"node", "-listen=" + n.Listen, "-id=" + n.ID, "-broker=" + n.Broker, "-url=" + n.URL, "-sentinel=" + n.Sentinel, "-dir=" + n.Dir, "-drain=" + n.Drain.String()}
}

// ParseNode reads the arguments behind "node".
func ParseNode(args []string) (n Node, err error) {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	flags.StringVar(&n.Listen, "listen", "127.0.0.1:0", "`host:port`")
	flags.StringVar(&n.ID, "id", "", "the node's name among the others; empty: random")
	flags.StringVar(&n.Broker, "broker", "memory", "memory, embedded, nats or redis")
	flags.StringVar(&n.URL, "url", "", "where the store is")
	flags.StringVar(&n.Sentinel, "sentinel", "", "the `name` of the master, if the store is reached by Sentinels")
	flags.StringVar(&n.Dir, "dir", "", "where an embedded store is kept")
	flags.DurationVar(&n.Drain, "drain", 10*time.Second, "how long a graceful end may take")
	return n, flags.Parse(args)
}

// broker makes what joins the nodes.
func (n Node) broker() (broker.Broker, error) {
	options := nats.Options{URL: n.URL, Lease: Lease, Partitions: 2, Connect: []natsgo.Option{
		natsgo.IgnoreDiscoveredServers(), // a server that was discovered has no link that can be cut
		natsgo.PingInterval(2 * time.Second),
	}}
	switch n.Broker {
	case "memory":
		return memory.New(nil), nil
	case "nats":
		return nats.New(options), nil
	case "embedded":
		return embedded.New(embedded.Options{Dir: n.Dir, NATS: nats.Options{Lease: Lease}}), nil
	case "redis":
		return redis.New(redis.Options{URL: n.URL, SentinelMaster: n.Sentinel}), nil
	}
	return nil, fmt.Errorf("there is no broker %q", n.Broker)
}

// Run serves until it is told to stop, with SIGTERM.
func (n Node) Run() error {
	b, err := n.broker()
	if err != nil {
		return err
	}
	secret := sha256.Sum256([]byte("every node of a run has this one"))
	m := finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: b, Secret: secret[:], NodeID: n.ID, Grace: Grace, Heartbeat: 5 * time.Second,
		DrainWindow: 2 * time.Second,
		Authenticate: func(r *http.Request) (finch.Identity, error) {
			return finch.Identity{User: finch.Token(r)}, nil // whoever one says that one is
		},
		Routes: map[string]finch.SocketEvent{Enroll: {OnMessage: enroll}},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
	})
	for _, pattern := range []string{Busy, Quiet, Small} {
		m.DeclareRooms(pattern+"{id}", finch.RoomOptions{
			HistorySize: Depth(pattern), Presence: true, CanJoin: finch.Anybody, CanPublish: finch.AnyMember,
		})
	}
	m.DeclareRooms(Club+"{id}", finch.RoomOptions{HistorySize: Depth(Club), Presence: true, CanPublish: finch.AnyMember})
	m.DeclareRooms(Fresh+"{id}", finch.RoomOptions{HistorySize: Depth(Fresh), CanJoin: finch.Anybody, CanPublish: finch.AnyMember})
	mux := http.NewServeMux()
	mux.Handle("/ws", m)
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) { held(w, r, m) })
	l, err := net.Listen("tcp", n.Listen)
	if err != nil {
		return err
	}
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	fmt.Printf("listening on %s\n", l.Addr())
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.Background(), n.Drain)
	defer cancel()
	return errors.Join(m.Shutdown(ctx), s.Shutdown(ctx))
}

// enroll puts a client into the club that it names.
func enroll(ctx context.Context, s *finch.Socket, msg *finch.Message) error {
	var room string
	if err := msg.Decode(&room); err != nil {
		return err
	}
	if !strings.HasPrefix(room, Club) {
		return finch.Errorf(http.StatusForbidden, "no_club", "this is no club")
	}
	if err := s.Join(ctx, room); err != nil {
		return err
	}
	return msg.Reply(nil)
}

// Held is what a node holds.
type Held struct {
	Goroutines int            `json:"goroutines"`
	Heap       uint64         `json:"heap"`
	Stats      finch.Stats    `json:"stats"`
	Counts     map[string]int `json:"counts"` // of the rooms that were asked for: on all nodes
	Stacks     string         `json:"stacks,omitempty"`
}

// held answers what the node holds, after memory was given back.
func held(w http.ResponseWriter, r *http.Request, m *finch.SocketManager) {
	if r.FormValue("settle") != "" {
		debug.FreeOSMemory()
	}
	h := Held{Counts: map[string]int{}}
	for room := range strings.SplitSeq(r.FormValue("rooms"), ",") {
		if room == "" {
			continue
		}
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		n, err := m.Room(room).Count(ctx)
		cancel()
		if err != nil {
			http.Error(w, room+": "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		h.Counts[room] = n
	}
	if r.FormValue("stacks") != "" {
		b := make([]byte, 1<<20)
		h.Stacks = string(b[:runtime.Stack(b, true)])
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	h.Goroutines, h.Heap, h.Stats = runtime.NumGoroutine(), stats.HeapAlloc, m.Stats()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(h)
}
