package stage

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// NATSOptions are the command line of a NATS server with JetStream.
type NATSOptions struct {
	Name   string
	Port   int
	Route  int    // the port of the cluster; 0: it is alone
	Routes string // the servers of the cluster, host:port with commas between
	Dir    string
}

func (o NATSOptions) args() []string {
	return []string{"nats", "-name=" + o.Name, fmt.Sprint("-port=", o.Port), fmt.Sprint("-route=", o.Route), "-routes=" + o.Routes, "-dir=" + o.Dir}
}

// ParseNATS reads the arguments behind "nats".
func ParseNATS(args []string) (o NATSOptions, err error) {
	flags := flag.NewFlagSet("nats", flag.ContinueOnError)
	flags.StringVar(&o.Name, "name", "s0", "the server's name")
	flags.IntVar(&o.Port, "port", 4222, "the `port` of clients")
	flags.IntVar(&o.Route, "route", 0, "the `port` of other servers")
	flags.StringVar(&o.Routes, "routes", "", "the servers of the cluster")
	flags.StringVar(&o.Dir, "dir", "", "where messages are kept")
	return o, flags.Parse(args)
}

// RunNATS serves, with an address of its own by which the harness has it give back
// memory, and returns only an error. Everything is as the server has it by default.
func RunNATS(o NATSOptions) error {
	options := &natsserver.Options{
		ServerName: o.Name, Host: "127.0.0.1", Port: o.Port, NoSigs: true, NoLog: true,
		JetStream: true, StoreDir: o.Dir, JetStreamMaxStore: 8 << 30, JetStreamMaxMemory: 64 << 20,
	}
	if o.Route != 0 {
		options.Cluster = natsserver.ClusterOpts{Name: "bench", Host: "127.0.0.1", Port: o.Route}
		options.Routes = natsserver.RoutesFromStr(o.Routes)
	}
	s, err := natsserver.NewServer(options)
	if err != nil {
		return err
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		return fmt.Errorf("%s takes no connections", o.Name)
	}
	http.HandleFunc("/settle", func(http.ResponseWriter, *http.Request) { debug.FreeOSMemory() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stdout, "listening on %s\n", listener.Addr())
	return http.Serve(listener, nil)
}

// routesOf names the servers of a cluster to each of them.
func routesOf(ports []int) string {
	var all []string
	for _, port := range ports {
		all = append(all, fmt.Sprintf("nats-route://127.0.0.1:%d", port))
	}
	return strings.Join(all, ",")
}
