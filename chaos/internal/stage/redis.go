package stage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/internal/child"
	"github.com/finch-go/finch/internal/redisserver"
)

// Redis is one server that keeps what it has on the disk. Every node reaches it
// through a link of its own.
type Redis struct {
	program string
	dir     string
	port    int
	running []*Process
	links   []*link.Proxy // by node
}

// NewRedis finds the program, and a port for it. Every write is in a file before
// it is answered, so that a server that is killed has lost nothing.
func NewRedis(dir string, nodes int, draw func() float64) (*Redis, error) {
	r := &Redis{dir: filepath.Join(dir, "redis"), running: make([]*Process, 1)}
	var err error
	if r.program, err = redisserver.Program(); err != nil {
		return nil, err
	}
	ports, err := child.FreePorts(1)
	if err != nil {
		return nil, err
	}
	r.port = ports[0]
	for range nodes {
		p, err := link.New(r.address(), link.LossyRedis, draw)
		if err != nil {
			return nil, err
		}
		r.links = append(r.links, p)
	}
	return r, os.MkdirAll(r.dir, 0o700)
}

func (r *Redis) address() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// Start is documented at [Store].
func (r *Redis) Start(ctx context.Context) error {
	if err := r.Restart(0); err != nil {
		return err
	}
	return r.Well(ctx)
}

// Restart is documented at [Store].
func (r *Redis) Restart(int) (err error) {
	r.running[0], err = child.Start(child.Options{Name: "redis", Program: r.program, Args: []string{
		"--port", fmt.Sprint(r.port), "--bind", "127.0.0.1", "--dir", r.dir, "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
	}})
	return err
}

// Node is documented at [Store].
func (r *Redis) Node(index int) server.Node {
	return server.Node{Broker: "redis", URL: "redis://" + r.links[index].Address()}
}

// Servers is documented at [Store].
func (r *Redis) Servers() []*Process { return r.running }

// Leader is documented at [Store].
func (r *Redis) Leader(context.Context, int) int { return -1 }

// Links is documented at [Store].
func (r *Redis) Links(node int) []*link.Proxy { return r.links[node : node+1] }

// Routes is documented at [Store].
func (r *Redis) Routes(int) []*link.Proxy { return nil }

// Well is documented at [Store].
func (r *Redis) Well(ctx context.Context) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := r.ping()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("redis does not answer: %w", err)
		case <-tick.C:
		}
	}
}

func (r *Redis) ping() error {
	if r.running[0].Ended() {
		return errors.New("it is down: " + r.running[0].Said())
	}
	c, err := net.DialTimeout("tcp", r.address(), time.Second)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(c, "PING\r\n")
	answer, err := bufio.NewReader(c).ReadString('\n')
	if err == nil && !strings.HasPrefix(answer, "+PONG") {
		err = errors.New(answer)
	}
	return err
}

// Save is documented at [Store].
func (r *Redis) Save(context.Context) error {
	if err := r.running[0].Pause(); err != nil {
		return err
	}
	defer r.running[0].Resume()
	return replace(r.dir+"-saved", r.dir)
}

// Restore is documented at [Store].
func (r *Redis) Restore(ctx context.Context, down func()) error {
	r.running[0].Kill()
	down()
	if err := replace(r.dir, r.dir+"-saved"); err != nil {
		return err
	}
	return r.Start(ctx)
}

// Close is documented at [Store].
func (r *Redis) Close() {
	if r.running[0] != nil {
		r.running[0].Kill()
	}
	for _, p := range r.links {
		p.Close()
	}
}
