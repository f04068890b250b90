package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/internal/child"
	natsgo "github.com/nats-io/nats.go"
)

// natsServers is how many servers there are: with three, one may be missing.
const natsServers = 3

// NATS is a cluster of servers with JetStream. Every node reaches every server
// through a link of its own, and so does every server the others.
type NATS struct {
	dir     string
	servers []server.NATS
	running []*Process
	links   [][]*link.Proxy // by node, then server
	routes  [][]*link.Proxy // by server that connects, then the other, of a lower number
}

// NewNATS finds ports for a cluster of which so many nodes are clients.
func NewNATS(dir string, nodes int, draw func() float64) (*NATS, error) {
	n := &NATS{dir: dir, running: make([]*Process, natsServers)}
	ports, err := child.FreePorts(2 * natsServers)
	if err != nil {
		return nil, err
	}
	for i := range natsServers {
		s := server.NATS{Name: fmt.Sprintf("s%d", i), Port: ports[2*i], Route: ports[2*i+1], Dir: n.dirOf(i)}
		s.Log = filepath.Join(dir, s.Name+".log")
		var routes []*link.Proxy
		var addresses []string
		for j := range i {
			p, err := link.New(fmt.Sprintf("127.0.0.1:%d", n.servers[j].Route), nil, draw)
			if err != nil {
				return nil, err
			}
			routes = append(routes, p)
			addresses = append(addresses, p.Address())
		}
		s.Routes = strings.Join(addresses, ",")
		n.servers, n.routes = append(n.servers, s), append(n.routes, routes)
	}
	for range nodes {
		var links []*link.Proxy
		for j := range natsServers {
			p, err := link.New(fmt.Sprintf("127.0.0.1:%d", n.servers[j].Port), link.LossyNATS, draw)
			if err != nil {
				return nil, err
			}
			links = append(links, p)
		}
		n.links = append(n.links, links)
	}
	return n, nil
}

func (n *NATS) dirOf(i int) string { return filepath.Join(n.dir, fmt.Sprintf("s%d", i)) }

// Start is documented at [Store].
func (n *NATS) Start(ctx context.Context) error {
	for i := range n.servers {
		if err := n.Restart(i); err != nil {
			return err
		}
	}
	return n.Well(ctx)
}

// Restart is documented at [Store].
func (n *NATS) Restart(i int) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	n.running[i], err = child.Start(child.Options{Name: n.servers[i].Name, Program: program, Args: n.servers[i].Args(), Env: []string{"GOMAXPROCS=2"}})
	return err
}

// Node is documented at [Store].
func (n *NATS) Node(index int) server.Node {
	var urls []string
	for _, p := range n.links[index] {
		urls = append(urls, "nats://"+p.Address())
	}
	return server.Node{Broker: "nats", URL: strings.Join(urls, ",")}
}

// Servers is documented at [Store].
func (n *NATS) Servers() []*Process { return n.running }

// Links is documented at [Store].
func (n *NATS) Links(node int) []*link.Proxy { return n.links[node] }

// Routes is documented at [Store].
func (n *NATS) Routes(s int) (all []*link.Proxy) {
	for from, routes := range n.routes {
		for to, p := range routes {
			if from == s || to == s {
				all = append(all, p)
			}
		}
	}
	return all
}

// connect connects the harness to the servers themselves, past the links.
func (n *NATS) connect() (*natsgo.Conn, error) {
	var urls []string
	for _, s := range n.servers {
		urls = append(urls, fmt.Sprintf("nats://127.0.0.1:%d", s.Port))
	}
	return natsgo.Connect(strings.Join(urls, ","), natsgo.Timeout(time.Second), natsgo.NoReconnect(), natsgo.IgnoreDiscoveredServers())
}

// streamInfo is what matters of an answer of the stream API.
type streamInfo struct {
	Error   *struct{ Description string }
	Streams []string
	Cluster *struct {
		Leader   string
		Replicas []struct {
			Current bool
			Offline bool
		}
	}
}

func ask(conn *natsgo.Conn, endpoint string) (info streamInfo, err error) {
	m, err := conn.Request("$JS.API."+endpoint, nil, time.Second)
	if err != nil {
		return info, err
	}
	if err = json.Unmarshal(m.Data, &info); err == nil && info.Error != nil {
		err = errors.New(info.Error.Description)
	}
	return info, err
}

// Leader is documented at [Store].
func (n *NATS) Leader(_ context.Context, choice int) int {
	conn, err := n.connect()
	if err != nil {
		return -1
	}
	defer conn.Close()
	names, err := ask(conn, "STREAM.NAMES")
	if err != nil {
		return -1
	}
	var streams []string
	for _, name := range names.Streams {
		if strings.Contains(name, "_h_") {
			streams = append(streams, name)
		}
	}
	if len(streams) == 0 {
		return -1
	}
	info, err := ask(conn, "STREAM.INFO."+streams[choice%len(streams)])
	if err != nil || info.Cluster == nil {
		return -1
	}
	for i, s := range n.servers {
		if s.Name == info.Cluster.Leader {
			return i
		}
	}
	return -1
}

// Well is documented at [Store].
func (n *NATS) Well(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := n.look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the servers are not well: %w", err)
		case <-tick.C:
		}
	}
}

// look says what is wrong with the servers.
func (n *NATS) look() error {
	for i, p := range n.running {
		if p == nil || p.Ended() {
			return fmt.Errorf("%s is down", n.servers[i].Name)
		}
	}
	conn, err := n.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	names, err := ask(conn, "STREAM.NAMES")
	if err != nil {
		return err
	}
	for _, name := range names.Streams {
		info, err := ask(conn, "STREAM.INFO."+name)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", name, err)
		case info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas) != natsServers-1:
			return fmt.Errorf("%s has no leader", name)
		}
		for _, r := range info.Cluster.Replicas {
			if !r.Current || r.Offline {
				return fmt.Errorf("%s is behind on a server", name)
			}
		}
	}
	return nil
}

// Save is documented at [Store].
func (n *NATS) Save(context.Context) error {
	for _, p := range n.running {
		if err := p.Pause(); err != nil {
			return err
		}
		defer p.Resume()
	}
	for i := range n.servers {
		if err := replace(n.dirOf(i)+"-saved", n.dirOf(i)); err != nil {
			return err
		}
	}
	return nil
}

// Restore is documented at [Store].
func (n *NATS) Restore(ctx context.Context, down func()) error {
	for _, p := range n.running {
		p.Kill()
	}
	down()
	for i := range n.servers {
		if err := replace(n.dirOf(i), n.dirOf(i)+"-saved"); err != nil {
			return err
		}
	}
	return n.Start(ctx)
}

// Close is documented at [Store].
func (n *NATS) Close() {
	for _, p := range n.running {
		if p != nil {
			p.Kill()
		}
	}
	for _, list := range [][][]*link.Proxy{n.links, n.routes} {
		for _, proxies := range list {
			for _, p := range proxies {
				p.Close()
			}
		}
	}
}
