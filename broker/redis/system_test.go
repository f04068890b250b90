package redis_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/redis"
	"github.com/finch-go/finch/internal/badday"
)

// newStage is a server of its own for a test of a whole system. Nodes notice soon
// what else would take ten seconds.
func newStage(t *testing.T, args ...string) (*badday.Stage, *server) {
	s := startServer(t, args...)
	o := newStore(t, redis.Options{Addresses: []string{s.address()}, MaxPayload: 20 << 10}).options
	return &badday.Stage{
		Broker: func() broker.Broker {
			b := redis.New(o)
			redis.Hasten(b, 300*time.Millisecond, 2*time.Second, time.Second)
			return b
		},
		Stop: s.kill, Start: s.start, Forgets: true, Gone: 4 * time.Second,
		Empty:      func() { s.do("FLUSHALL") },
		MaxPayload: o.MaxPayload,
	}, s
}

func TestSystemOnRedis(t *testing.T) {
	for name, test := range map[string]func(*badday.Stage, *testing.T){
		"nodes are one":                         (*badday.Stage).Across,
		"two nodes of one id":                   (*badday.Stage).SameID,
		"two secrets":                           (*badday.Stage).OtherSecrets,
		"names of rooms":                        (*badday.Stage).Names,
		"a message that is too large":           (*badday.Stage).TooLarge,
		"members who show much":                 (*badday.Stage).Shown,
		"a server that is gone at start":        (*badday.Stage).LateStore,
		"a server that goes and comes empty":    (*badday.Stage).Outage,
		"a server that is emptied in the midst": (*badday.Stage).Emptied,
	} {
		t.Run(name, func(t *testing.T) {
			stage, _ := newStage(t)
			test(stage, t)
		})
	}
}

func TestSystemOnAServerThatKeepsItsData(t *testing.T) {
	stage, s := newStage(t)
	s.kill()
	stage.Forgets = false
	stage.Start = func() {
		s.launch("--save", "", "--appendonly", "yes", "--appendfsync", "always")
		s.awaitReady()
	}
	stage.Start()
	stage.Outage(t)
}

func TestFullServerHoldsSystemsUp(t *testing.T) {
	stage, s := newStage(t)
	stage.Filled(t, func() { s.do("CONFIG", "SET", "maxmemory", "1mb") }, func() { s.do("CONFIG", "SET", "maxmemory", "0") })
}

func TestSystemsSayWhyRedisDoesNotServe(t *testing.T) {
	guarded, master := startServer(t, "--requirepass", "secret"), startServer(t)
	replica := startServer(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(master.port))
	for says, o := range map[string]redis.Options{
		"the server refuses the user name or the password": {Addresses: []string{guarded.address()}, Password: "wrong"},
		"the server asks for a password":                   {Addresses: []string{guarded.address()}},
		"replica":                                          {Addresses: []string{replica.address()}},
		"7.0":                                              {Addresses: []string{oldServer(t, "6.2.14")}},
		"the URL is not valid":                             {URL: "redis://127.0.0.1:6379/x"},
	} {
		t.Run(says, func(t *testing.T) {
			badday.Refused(t, func() broker.Broker { return redis.New(o) }, says)
		})
	}
}
