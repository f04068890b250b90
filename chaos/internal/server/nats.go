package server

import (
	"context"
	"flag"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// NATS is the command line of a NATS server with JetStream.
type NATS struct {
	Name   string
	Port   int
	Route  int    // the port of the cluster
	Routes string // to other servers, host:port with commas between
	Dir    string
	Log    string // a file
}

// Args are the arguments that ParseNATS understands.
func (n NATS) Args() []string {
	return []string{"nats", "-name=" + n.Name, fmt.Sprint("-port=", n.Port), fmt.Sprint("-route=", n.Route), "-routes=" + n.Routes, "-dir=" + n.Dir, "-log=" + n.Log}
}

// ParseNATS reads the arguments behind "nats".
func ParseNATS(args []string) (n NATS, err error) {
	flags := flag.NewFlagSet("nats", flag.ContinueOnError)
	flags.StringVar(&n.Name, "name", "s0", "the server's name")
	flags.IntVar(&n.Port, "port", 4222, "the `port` of clients")
	flags.IntVar(&n.Route, "route", 6222, "the `port` of other servers")
	flags.StringVar(&n.Routes, "routes", "", "other servers to connect to")
	flags.StringVar(&n.Dir, "dir", "", "where messages are kept")
	flags.StringVar(&n.Log, "log", "", "where to write what the server says")
	return n, flags.Parse(args)
}

// Run serves until it is told to stop, with SIGTERM.
func (n NATS) Run() error {
	var routes []string
	for at := range strings.SplitSeq(n.Routes, ",") {
		if at != "" {
			routes = append(routes, "nats-route://"+at)
		}
	}
	s, err := natsserver.NewServer(&natsserver.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Port, NoSigs: true, LogFile: n.Log, Logtime: true,
		JetStream: true, StoreDir: n.Dir, JetStreamMaxStore: 1 << 30, JetStreamMaxMemory: 64 << 20,
		Cluster: natsserver.ClusterOpts{
			Name: "chaos", Host: "127.0.0.1", Port: n.Route, NoAdvertise: true,
			// Two connections between two servers carry what clients say and what they ask
			// of streams, so that the one may overtake the other.
			PoolSize: 3,
			// Servers tell each other of a third; the way that they tell leads nowhere, so
			// that every route goes through a link.
			Advertise: "127.0.0.1:1",
		},
		Routes: natsserver.RoutesFromStr(strings.Join(routes, ",")),
	})
	if err != nil {
		return err
	}
	s.ConfigureLogger()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go s.Start()
	<-ctx.Done()
	s.Shutdown()
	s.WaitForShutdown()
	return nil
}
