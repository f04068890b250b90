package servers

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/finch-go/finch/internal/child"
)

// Patience is how long tests wait for what is owed.
const Patience = time.Minute

// A Cluster is servers of this process that listen on loopback.
type Cluster struct {
	Servers []*server.Server
	Options []*server.Options
}

// FreePorts finds ports that nobody listens on.
func FreePorts(t testing.TB, n int) []int {
	t.Helper()
	ports, err := child.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// NewCluster starts n servers with JetStream; one is no cluster. With change their
// options are changed first.
func NewCluster(t testing.TB, n int, change func(*server.Options)) *Cluster {
	t.Helper()
	c := &Cluster{}
	ports := FreePorts(t, 2*n)
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
		c.Options = append(c.Options, o)
		c.Servers = append(c.Servers, nil)
		c.Start(t, i)
	}
	t.Cleanup(func() {
		for i := range c.Servers {
			c.Stop(i)
		}
	})
	c.await(t)
	return c
}

// Start starts one of the servers on what is in its directory.
func (c *Cluster) Start(t testing.TB, i int) {
	t.Helper()
	s, err := server.NewServer(c.Options[i].Clone())
	if err != nil {
		t.Fatal(err)
	}
	c.Servers[i] = s
	go s.Start()
}

// Stop ends one of the servers.
func (c *Cluster) Stop(i int) {
	if s := c.Servers[i]; s != nil {
		s.Shutdown()
		s.WaitForShutdown()
		c.Servers[i] = nil
	}
}

// await waits until JetStream answers on every server that runs.
func (c *Cluster) await(t testing.TB) {
	t.Helper()
	for i := range c.Servers {
		Eventually(t, "JetStream", func() bool {
			conn, err := natsgo.Connect(c.URL(i), natsgo.UserInfo(c.Options[i].Username, c.Options[i].Password))
			if err != nil {
				return false
			}
			defer conn.Close()
			m, err := conn.Request("$JS.API.INFO", nil, time.Second)
			return err == nil && !strings.Contains(string(m.Data), `"error"`) && (len(c.Servers) == 1 || c.Servers[i].JetStreamIsCurrent())
		})
	}
}

// URL of a server.
func (c *Cluster) URL(i int) string {
	return fmt.Sprintf("nats://127.0.0.1:%d", c.Options[i].Port)
}

// URLs of all, beginning with one.
func (c *Cluster) URLs(first int) string {
	var list []string
	for i := range c.Options {
		list = append(list, c.URL((first+i)%len(c.Options)))
	}
	return strings.Join(list, ",")
}

// Eventually asks again until something is true.
func Eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	if !Within(Patience, f) {
		t.Fatalf("%s did not come within %v", what, Patience)
	}
}

// Within asks again until something is true; false if that takes longer.
func Within(d time.Duration, f func() bool) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(d); !f(); <-tick.C {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// Quiet is a log that nobody reads.
var Quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// namespaces counts those that tests were given.
var namespaces atomic.Int64

// NewNamespace returns a name that no other test has.
func NewNamespace() string { return fmt.Sprintf("t%d", namespaces.Add(1)) }

// RemoveNamespace deletes the streams of a namespace, so that the servers of many
// tests do not fill up.
func RemoveNamespace(t testing.TB, conn *natsgo.Conn, ns string) {
	var names struct{ Streams []string }
	API(t, conn, "STREAM.NAMES", map[string]int{}, &names)
	var wg sync.WaitGroup
	for _, name := range names.Streams {
		if strings.HasPrefix(name, ns+"_") {
			wg.Go(func() { conn.Request("$JS.API.STREAM.DELETE."+name, nil, Patience) })
		}
	}
	wg.Wait()
}
