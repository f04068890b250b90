package embedded_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
)

// patience is how long tests wait for what is owed.
const patience = 30 * time.Second

// A cluster is servers of this process that listen on loopback.
type cluster struct {
	servers []*server.Server
	options []*server.Options
}

// freePorts finds ports that nobody listens on.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// newCluster starts n servers with JetStream; one is no cluster. With change their
// options are changed first.
func newCluster(t testing.TB, n int, change func(*server.Options)) *cluster {
	t.Helper()
	c := &cluster{}
	ports := freePorts(t, 2*n)
	var routes []*url.URL
	for i := range n {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: fmt.Sprintf("127.0.0.1:%d", ports[n+i])})
	}
	for i := range n {
		o := &server.Options{
			ServerName: fmt.Sprintf("s%d", i), Host: "127.0.0.1", Port: ports[i], NoSigs: true,
			JetStream: true, StoreDir: t.TempDir(), JetStreamMaxStore: 8 << 30, JetStreamMaxMemory: 1 << 30,
		}
		if n > 1 {
			o.Cluster = server.ClusterOpts{Name: "finch", Host: "127.0.0.1", Port: ports[n+i]}
			o.Routes = routes
		}
		if change != nil {
			change(o)
		}
		c.options = append(c.options, o)
		c.servers = append(c.servers, nil)
		c.start(t, i)
	}
	t.Cleanup(func() {
		for i := range c.servers {
			c.stop(i)
		}
	})
	c.await(t)
	return c
}

func (c *cluster) start(t testing.TB, i int) {
	t.Helper()
	s, err := server.NewServer(c.options[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	c.servers[i] = s
	go s.Start()
}

func (c *cluster) stop(i int) {
	if s := c.servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
		c.servers[i] = nil
	}
}

// await waits until JetStream answers on every server that runs.
func (c *cluster) await(t testing.TB) {
	t.Helper()
	for i := range c.servers {
		eventually(t, "JetStream", func() bool {
			conn, err := natsgo.Connect(c.url(i), natsgo.UserInfo(c.options[i].Username, c.options[i].Password))
			if err != nil {
				return false
			}
			defer conn.Close()
			m, err := conn.Request("$JS.API.INFO", nil, time.Second)
			return err == nil && !strings.Contains(string(m.Data), `"error"`) && (len(c.servers) == 1 || c.servers[i].JetStreamIsCurrent())
		})
	}
}

// url of a server.
func (c *cluster) url(i int) string {
	return fmt.Sprintf("nats://127.0.0.1:%d", c.options[i].Port)
}

// urls of all, beginning with one.
func (c *cluster) urls(first int) string {
	var list []string
	for i := range c.options {
		list = append(list, c.url((first+i)%len(c.options)))
	}
	return strings.Join(list, ",")
}

// eventually asks again until something is true.
func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !f(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// namespaces counts those that tests were given.
var namespaces atomic.Int64

func newNamespace() string { return fmt.Sprintf("t%d", namespaces.Add(1)) }

// removeNamespace deletes the streams of a namespace, so that the servers of many
// tests do not fill up.
func removeNamespace(t testing.TB, conn *natsgo.Conn, ns string) {
	var names struct{ Streams []string }
	api(t, conn, "STREAM.NAMES", map[string]int{}, &names)
	var wg sync.WaitGroup
	for _, name := range names.Streams {
		if strings.HasPrefix(name, ns+"_") {
			wg.Go(func() { conn.Request("$JS.API.STREAM.DELETE."+name, nil, patience) })
		}
	}
	wg.Wait()
}

func TestServersKeepTheContract(t *testing.T) {
	for _, n := range []int{1, 3} {
		t.Run(fmt.Sprintf("%d servers", n), func(t *testing.T) {
			c := newCluster(t, n, nil)
			conn, err := natsgo.Connect(c.urls(0))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			brokertest.Run(t, func(t *testing.T) *brokertest.Store {
				ns := newNamespace()
				t.Cleanup(func() { removeNamespace(t, conn, ns) })
				next := 0
				return &brokertest.Store{
					Node: func() broker.Broker {
						next++ // each node is connected to another server
						return nats.New(nats.Options{URL: c.url(next % n), Namespace: ns, Partitions: 1 + n%3, Logger: quiet, Connect: []natsgo.Option{natsgo.DontRandomize()}})
					},
					LoseTail:  func(room string, n int) { loseTail(t, conn, ns, room, n) },
					Elsewhere: true,
				}
			})
		})
	}
}

// start starts a node and closes it with the test.
func start(t testing.TB, b broker.Broker, id string, profiles ...broker.Profile) *brokertest.Inbox {
	t.Helper()
	in := &brokertest.Inbox{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: id, Profiles: profiles}, in); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return in
}
