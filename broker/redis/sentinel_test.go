package redis_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// A guarded pair is a master, its replica, and three Sentinels that watch them.
type pair struct {
	t               testing.TB
	master, replica *server
	sentinels       []*server
}

func startPair(t testing.TB) *pair {
	t.Helper()
	p := &pair{t: t, master: startServer(t, "--repl-diskless-sync-delay", "0")}
	p.replica = startServer(t, "--replicaof", "127.0.0.1 "+strconv.Itoa(p.master.port))
	for range 3 {
		p.sentinels = append(p.sentinels, startSentinel(t, p.master))
	}
	until(t, "the Sentinels know each other and the replica", func() bool {
		for _, s := range p.sentinels {
			answer, err := s.ask("SENTINEL", "MASTER", "main")
			if err != nil {
				return false
			}
			state, err := answer.AsStrMap()
			if err != nil || state["num-slaves"] != "1" || state["num-other-sentinels"] != "2" || state["flags"] != "master" {
				return false
			}
		}
		return strings.Contains(p.replica.do("INFO", "replication"), "master_link_status:up")
	})
	return p
}

func startSentinel(t testing.TB, master *server) *server {
	t.Helper()
	s := newServer(t)
	config := filepath.Join(s.dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor main 127.0.0.1 %d 2\nsentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n",
		s.port, s.dir, master.port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(config, "--sentinel")
	s.awaitReady()
	return s
}

func (p *pair) options() redis.Options {
	o := redis.Options{SentinelMaster: "main"}
	for _, s := range p.sentinels {
		o.Addresses = append(o.Addresses, s.address())
	}
	return o
}

// awaitPromotion waits until the replica is the master for all Sentinels.
func (p *pair) awaitPromotion() {
	p.t.Helper()
	until(p.t, "the replica is the master", func() bool {
		for _, s := range p.sentinels {
			if address := s.list("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main"); address[1] != strconv.Itoa(p.replica.port) {
				return false
			}
		}
		return strings.Contains(p.replica.do("INFO", "replication"), "role:master")
	})
}

func TestSentinelKeepsTheContract(t *testing.T) {
	p := startPair(t)
	brokertest.Run(t, func(t *testing.T) *brokertest.Store {
		return newStore(t, p.options()).contract()
	})
}

// A reasoned sink keeps why it was uncertain.
type reasoned struct {
	brokertest.Inbox
	mu  sync.Mutex
	why []error
}

func (r *reasoned) Uncertain(scope broker.Scope, why error) {
	r.Inbox.Uncertain(scope, why)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why = append(r.why, why)
}

func (r *reasoned) said(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.why, func(why error) bool { return strings.Contains(why.Error(), text) })
}

// TestSentinelsThatNameAnotherMasterAreFollowed: also when the old one is there as
// before, and ends no connection.
func TestSentinelsThatNameAnotherMasterAreFollowed(t *testing.T) {
	old, next := startServer(t), startServer(t)
	sentinel := startSentinel(t, old)
	st := newStore(t, redis.Options{Addresses: []string{sentinel.address()}, SentinelMaster: "main"})
	b := redis.New(st.options)
	redis.Hasten(b, 500*time.Millisecond, 5*time.Second, 500*time.Millisecond)
	in := &reasoned{}
	begin(t, b, "n", in)
	open(t, b, "r")
	sentinel.do("SENTINEL", "REMOVE", "main")
	sentinel.do("SENTINEL", "MONITOR", "main", "127.0.0.1", strconv.Itoa(next.port), "1")
	until(t, "the node is uncertain", func() bool { return in.said("not the master any more") })
	p := publish(t, b, "r", "data", broker.PublishOptions{})
	until(t, "the message is delivered", func() bool {
		return slices.ContainsFunc(in.Messages("r"), func(m broker.Message) bool { return m.Position == p })
	})
	until(t, "the old server is left", func() bool { return len(old.list("PUBSUB", "SHARDCHANNELS")) == 0 })
}

func TestNothingIsLostUnseenInAFailover(t *testing.T) {
	p := startPair(t)
	report := brokertest.Storm{Nodes: newStore(t, p.options()).nodes(3), MayReset: true, Disturb: func() {
		p.master.kill()
		p.awaitPromotion()
	}}.Run(t)
	t.Log(report)
	if report.Uncertain == 0 || report.Tries == 0 {
		t.Errorf("nobody noticed the failover: %v", report)
	}
}
