package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/internal/child"
)

const (
	sentinelServers = 3 // a master and two replicas
	sentinels       = 3
	sentinelMaster  = "main"
)

// RedisSentinel is a master with two replicas, of which three Sentinels make one the
// master when that is gone for a second and a half.
type RedisSentinel struct {
	*fleet
	watchers []int // ports of the Sentinels
	watching []*Process
}

var _ Replicated = (*RedisSentinel)(nil)

// NewRedisSentinel finds the program, and ports.
func NewRedisSentinel(dir string, draw func() float64) (*RedisSentinel, error) {
	f, err := newFleet(dir, sentinelServers, 1, draw)
	if err != nil {
		return nil, err
	}
	s := &RedisSentinel{fleet: f}
	if s.watchers, err = child.FreePorts(sentinels); err != nil {
		return nil, err
	}
	f.args = s.serverArgs
	return s, nil
}

// serverArgs makes a server a replica of the one that the Sentinels name, as who
// starts a server again would.
func (s *RedisSentinel) serverArgs(i int) []string {
	args := []string{"--replica-announce-ip", "127.0.0.1", "--replica-announce-port", fmt.Sprint(s.links[i].Port())}
	master := fmt.Sprint(s.links[0].Port()) // before there are Sentinels
	if port, err := s.named(context.Background()); err == nil {
		master = port
	}
	if master != fmt.Sprint(s.links[i].Port()) {
		args = append(args, "--replicaof", "127.0.0.1 "+master)
	}
	return args
}

// named answers the port that the Sentinels name as the master's, if they agree.
func (s *RedisSentinel) named(ctx context.Context) (port string, err error) {
	if len(s.watching) == 0 {
		return "", errors.New("there are no Sentinels yet")
	}
	for _, w := range s.watchers {
		answer, err := call(ctx, w, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", sentinelMaster)
		if err != nil {
			return "", err
		}
		_, at, _ := strings.Cut(answer, "\n")
		if port != "" && port != at {
			return "", errors.New("the Sentinels name two masters")
		}
		port = at
	}
	return port, nil
}

// Start is documented at [Store].
func (s *RedisSentinel) Start(ctx context.Context) error {
	for i := range s.ports {
		if err := s.Restart(i); err != nil {
			return err
		}
	}
	if err := awaits(ctx, "the servers are not well", func() error { return s.inStep(ctx) }); err != nil {
		return err
	}
	for i, port := range s.watchers {
		if err := s.watch(i, port); err != nil {
			return err
		}
	}
	return s.Well(ctx)
}

// watch starts a Sentinel.
func (s *RedisSentinel) watch(i, port int) error {
	dir := filepath.Join(s.dir, fmt.Sprint("w", i))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	config := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor %s 127.0.0.1 %d 2\n", port, dir, sentinelMaster, s.links[0].Port()) +
		fmt.Sprintf("sentinel down-after-milliseconds %s 1500\nsentinel failover-timeout %s 6000\nsentinel parallel-syncs %s 2\n", sentinelMaster, sentinelMaster, sentinelMaster)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return err
	}
	p, err := child.Start(child.Options{Name: fmt.Sprint("w", i), Program: s.program, Args: []string{config, "--sentinel"}})
	if err == nil {
		s.watching = append(s.watching, p)
	}
	return err
}

// Node is documented at [Store].
func (s *RedisSentinel) Node(int) server.Node {
	var addresses []string
	for _, w := range s.watchers {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", w))
	}
	return server.Node{Broker: "redis", URL: "redis://" + addresses[0] + "?addr=" + strings.Join(addresses[1:], "&addr="), Sentinel: sentinelMaster}
}

// Well is documented at [Store].
func (s *RedisSentinel) Well(ctx context.Context) error {
	return awaits(ctx, "the servers and Sentinels are not well", func() error {
		if err := s.inStep(ctx); err != nil {
			return err
		}
		if _, err := s.named(ctx); err != nil {
			return err
		}
		for i, w := range s.watchers {
			answer, err := call(ctx, w, "SENTINEL", "MASTER", sentinelMaster)
			if err != nil {
				return err
			}
			state := strings.Split(answer, "\n")
			for name, want := range map[string]string{"flags": "master", "num-slaves": fmt.Sprint(sentinelServers - 1), "num-other-sentinels": fmt.Sprint(sentinels - 1)} {
				if at := slices.Index(state, name); at < 0 || state[at+1] != want {
					return fmt.Errorf("sentinel %d: %s is not %s", i, name, want)
				}
			}
		}
		return nil
	})
}

// Promoted is documented at [Replicated].
func (s *RedisSentinel) Promoted(ctx context.Context, old int) error {
	return awaits(ctx, "no replica was promoted", func() error {
		port, err := s.named(ctx)
		if err != nil {
			return err
		}
		for i, info := range s.roles(ctx) {
			if fmt.Sprint(s.links[i].Port()) == port && i != old && field(info, "role") == "master" {
				return nil
			}
		}
		return errors.New("the Sentinels name the old one, or one that is no master yet")
	})
}

// Close is documented at [Store].
func (s *RedisSentinel) Close() {
	for _, p := range s.watching {
		p.Kill()
	}
	s.fleet.Close()
}
