package stage

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/internal/child"
)

// NATS is one server with JetStream, or a cluster.
type NATS struct {
	servers []*Process
	ports   []int
	control []string // by server: host:port of what settles it
	conn    *natsgo.Conn
}

func newNATS(ctx context.Context, dir string, size int) (n *NATS, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ports, err := child.FreePorts(2 * size)
	if err != nil {
		return nil, err
	}
	n = &NATS{ports: ports[:size]}
	defer func() {
		if err != nil {
			n.Close()
		}
	}()
	for i := range size {
		o := NATSOptions{Name: fmt.Sprintf("s%d", i), Port: ports[i], Dir: filepath.Join(dir, fmt.Sprintf("s%d", i))}
		if size > 1 {
			o.Route, o.Routes = ports[size+i], routesOf(ports[size:])
		}
		p, err := child.Start(child.Options{Name: o.Name, Program: program, Args: o.args(), Ready: "listening on "})
		if err != nil {
			return nil, err
		}
		n.servers, n.control = append(n.servers, p), append(n.control, p.Ready())
	}
	n.conn, err = natsgo.Connect(n.Node().URL, natsgo.MaxReconnects(-1), natsgo.ReconnectWait(50*time.Millisecond))
	if err != nil {
		return nil, err
	}
	return n, await(ctx, "JetStream", func() error { return n.ask("INFO", nil, nil) })
}

// Node is documented at [Store].
func (n *NATS) Node() node.Options {
	var urls []string
	for _, port := range n.ports {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", port))
	}
	return node.Options{Broker: "nats", URL: strings.Join(urls, ",")}
}

// Servers is documented at [Store].
func (n *NATS) Servers() []*Process { return n.servers }

// Close is documented at [Store].
func (n *NATS) Close() {
	if n.conn != nil {
		n.conn.Close()
	}
	for _, p := range n.servers {
		p.Kill()
	}
}

// Memory is documented at [Store]. It is resident memory, of all servers.
func (n *NATS) Memory(ctx context.Context) (sum int, err error) {
	for i, p := range n.servers {
		if _, err := get(ctx, "http://"+n.control[i]+"/settle"); err != nil {
			return 0, err
		}
		held, err := p.Resident()
		if err != nil {
			return 0, err
		}
		sum += held
	}
	return sum, nil
}

// Reads is documented at [Store]. It hears the questions that are asked; one may be
// for the heads of many rooms.
func (n *NATS) Reads(context.Context) (func() (int, error), error) {
	var count atomic.Int64
	for _, subject := range []string{"$JS.API.DIRECT.GET.>", "$JS.API.STREAM.MSG.GET.>"} {
		if _, err := n.conn.Subscribe(subject, func(*natsgo.Msg) { count.Add(1) }); err != nil {
			return nil, err
		}
	}
	return func() (int, error) { return int(count.Load()), nil }, n.conn.Flush()
}

// ask asks JetStream something.
func (n *NATS) ask(endpoint string, question, answer any) error {
	var body []byte
	if question != nil {
		body, _ = json.Marshal(question)
	}
	m, err := n.conn.Request("$JS.API."+endpoint, body, time.Second)
	if err != nil {
		return err
	}
	var refusal struct {
		Error *struct{ Description string }
	}
	if err := json.Unmarshal(m.Data, &refusal); err != nil {
		return err
	}
	if refusal.Error != nil {
		return errors.New(refusal.Error.Description)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(m.Data, answer)
}

// A Partition is a stream with history, and where it is led.
type Partition struct {
	Stream string
	Leader *Process
	Rooms  []int // the numbers of its rooms
}

// Partitions answers the streams with history in which something was published.
func (n *NATS) Partitions() (all []Partition, err error) {
	var names struct{ Streams []string }
	if err := n.ask("STREAM.NAMES", nil, &names); err != nil {
		return nil, err
	}
	for _, name := range names.Streams {
		if !strings.Contains(name, "_h_") {
			continue
		}
		var info struct {
			State   struct{ Subjects map[string]int }
			Cluster *struct{ Leader string }
		}
		if err := n.ask("STREAM.INFO."+name, map[string]string{"subjects_filter": ">"}, &info); err != nil {
			return nil, err
		}
		p := Partition{Stream: name}
		for subject := range info.State.Subjects {
			if room := roomOf(subject); room >= 0 {
				p.Rooms = append(p.Rooms, room)
			}
		}
		for i, server := range n.servers {
			if info.Cluster != nil && info.Cluster.Leader == fmt.Sprintf("s%d", i) {
				p.Leader = server
			}
		}
		if len(p.Rooms) > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

// roomOf answers the number of the room whose messages have a subject, the last
// token of which is = and the base64 of its name; -1 of another subject.
func roomOf(subject string) int {
	_, token, _ := strings.Cut(subject, ".=")
	name, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return -1
	}
	_, number, _ := strings.Cut(string(name), "bench:")
	room, err := strconv.Atoi(number)
	if err != nil {
		return -1
	}
	return room
}
