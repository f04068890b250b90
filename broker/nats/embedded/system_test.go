package embedded_test

import (
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	"github.com/finch-go/finch/internal/badday"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
)

// newStage is a cluster of n servers, or one, for a test of a whole system.
func newStage(t *testing.T, n int) *badday.Stage {
	const most = 40 << 10
	c := servers.NewCluster(t, n, func(o *server.Options) { o.MaxPayload = most })
	next := 0
	return &badday.Stage{
		Broker: func() broker.Broker {
			next++ // each node begins with another server
			return nats.New(nats.Options{URL: c.URLs(next), Partitions: 2, Lease: 2 * time.Second, Logger: servers.Quiet})
		},
		Stop: func() {
			for i := range n {
				c.Stop(i)
			}
		},
		Start: func() {
			for i := range n {
				c.Start(t, i)
			}
		},
		Gone:       4 * time.Second,
		MaxPayload: most,
	}
}

func TestSystemOnServers(t *testing.T) {
	for name, test := range map[string]func(*badday.Stage, *testing.T){
		"nodes are one":                  (*badday.Stage).Across,
		"two nodes of one id":            (*badday.Stage).SameID,
		"two secrets":                    (*badday.Stage).OtherSecrets,
		"names of rooms":                 (*badday.Stage).Names,
		"a message that is too large":    (*badday.Stage).TooLarge,
		"members who show much":          (*badday.Stage).Shown,
		"a server that is gone at start": (*badday.Stage).LateStore,
		"a server that goes":             (*badday.Stage).Outage,
	} {
		t.Run(name, func(t *testing.T) { test(newStage(t, 1), t) })
	}
}

func TestSystemOnACluster(t *testing.T) {
	for name, test := range map[string]func(*badday.Stage, *testing.T){
		"nodes are one":                   (*badday.Stage).Across,
		"servers that are gone at start":  (*badday.Stage).LateStore,
		"servers that all go for a while": (*badday.Stage).Outage,
	} {
		t.Run(name, func(t *testing.T) { test(newStage(t, 3), t) })
	}
}

func TestFullServersHoldSystemsUp(t *testing.T) {
	c := servers.NewCluster(t, 1, func(o *server.Options) { o.JetStreamMaxStore = 4 << 20 })
	conn, err := natsgo.Connect(c.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stage := &badday.Stage{Gone: 4 * time.Second, Broker: func() broker.Broker {
		return nats.New(nats.Options{URL: c.URL(0), Partitions: 1, Lease: 2 * time.Second, Logger: servers.Quiet})
	}}
	stage.Filled(t, func() { // somebody else takes all the room
		servers.API(t, conn, "STREAM.CREATE.filler", map[string]any{"name": "filler", "subjects": []string{"filler"}, "storage": "file"}, nil)
		for range 400 {
			if m, err := conn.Request("filler", make([]byte, 16<<10), servers.Patience); err != nil || strings.Contains(string(m.Data), `"error"`) {
				return
			}
		}
		t.Fatal("the store is not full")
	}, func() { servers.API(t, conn, "STREAM.DELETE.filler", nil, nil) })
}

func TestSystemsSayWhyNATSDoesNotServe(t *testing.T) {
	plain := servers.NewCluster(t, 1, nil)
	guarded := servers.NewCluster(t, 1, func(o *server.Options) { o.Username, o.Password = "ann", "sesame" })
	conn, err := natsgo.Connect(plain.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	servers.API(t, conn, "STREAM.CREATE.foreign_h_=_0", map[string]any{"name": "foreign_h_=_0", "subjects": []string{"foreign.h.=.0.*"}, "storage": "memory"}, nil)
	for says, o := range map[string]nats.Options{
		"refuses these credentials": {URL: strings.Replace(guarded.URL(0), "//", "//ann:open@", 1)},
		"Options.URL":               {URL: "nats://a b:c:d"},
		"Options.Replicas is 3":     {URL: plain.URL(0), Replicas: 3, Namespace: "three"},
		"nats stream rm":            {URL: plain.URL(0), Namespace: "foreign"},
		"Namespace":                 {Namespace: "a.b"},
	} {
		t.Run(says, func(t *testing.T) {
			o.Logger = servers.Quiet
			badday.Refused(t, func() broker.Broker { return nats.New(o) }, says)
		})
	}
}
