package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/internal/child"
	"github.com/finch-go/finch/internal/redisserver"
)

// A fleet is servers of Redis that are masters and replicas of each other: what a
// Cluster and a master with Sentinels have in common. Each is reached through one
// link, by nodes, replicas and Sentinels, because it can announce one address only.
// The harness itself asks past the links.
type fleet struct {
	program string
	dir     string
	masters int // as many as there should be
	ports   []int
	links   []*link.Proxy
	running []*Process
	args    func(i int) []string // of a server that is started
}

// newFleet finds ports for servers.
func newFleet(dir string, servers, masters int, draw func() float64) (*fleet, error) {
	f := &fleet{dir: filepath.Join(dir, "redis"), masters: masters, running: make([]*Process, servers)}
	var err error
	if f.program, err = redisserver.Program(); err != nil {
		return nil, err
	}
	if f.ports, err = child.FreePorts(servers); err != nil {
		return nil, err
	}
	for i := range servers {
		p, err := link.New(fmt.Sprintf("127.0.0.1:%d", f.ports[i]), link.LossyRedis, draw)
		if err != nil {
			return nil, err
		}
		f.links = append(f.links, p)
		if err := os.MkdirAll(f.dirOf(i), 0o700); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fleet) dirOf(i int) string { return filepath.Join(f.dir, fmt.Sprint("r", i)) }

// Restart is documented at [Store].
func (f *fleet) Restart(i int) (err error) {
	args := []string{
		"--port", fmt.Sprint(f.ports[i]), "--bind", "127.0.0.1", "--dir", f.dirOf(i), "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0",
	}
	f.running[i], err = child.Start(child.Options{Name: fmt.Sprint("r", i), Program: f.program, Args: append(args, f.args(i)...)})
	return err
}

// Servers is documented at [Store].
func (f *fleet) Servers() []*Process { return f.running }

// Leader is documented at [Store].
func (f *fleet) Leader(context.Context, int) int { return -1 }

// Links is documented at [Store].
func (f *fleet) Links(int) []*link.Proxy { return f.links }

// Routes is documented at [Store].
func (f *fleet) Routes(int) []*link.Proxy { return nil }

var errNoRollback = errors.New("replicated servers are not put back: a replica that is behind loses as much")

// Save is documented at [Store].
func (f *fleet) Save(context.Context) error { return errNoRollback }

// Restore is documented at [Store].
func (f *fleet) Restore(context.Context, func()) error { return errNoRollback }

// Close is documented at [Store].
func (f *fleet) Close() {
	for _, p := range f.running {
		if p != nil {
			p.Kill()
		}
	}
	for _, p := range f.links {
		p.Close()
	}
}

// roles answers what each server says of its replication; empty if it says nothing.
func (f *fleet) roles(ctx context.Context) []string {
	infos := make([]string, len(f.ports))
	var all sync.WaitGroup
	for i, port := range f.ports {
		all.Go(func() { infos[i], _ = call(ctx, port, "INFO", "replication") })
	}
	all.Wait()
	return infos
}

// Claims is documented at [Replicated].
func (f *fleet) Claims(ctx context.Context) (masters string, settled bool) {
	n, silent := 0, 0
	for i, info := range f.roles(ctx) {
		switch field(info, "role") {
		case "master":
			n++
			masters += fmt.Sprint(" r", i)
		case "":
			silent++
		}
	}
	return masters, n == f.masters && silent == 0
}

func (f *fleet) pick(ctx context.Context, role string, choice int) (int, error) {
	var found []int
	for i, info := range f.roles(ctx) {
		if field(info, "role") == role {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return -1, fmt.Errorf("no server is a %s", role)
	}
	return found[choice%len(found)], nil
}

// Master is documented at [Replicated].
func (f *fleet) Master(ctx context.Context, choice int) (int, error) {
	return f.pick(ctx, "master", choice)
}

// Replica is documented at [Replicated].
func (f *fleet) Replica(ctx context.Context, choice int) (int, error) {
	return f.pick(ctx, "slave", choice)
}

// replicasOf answers those that have a server as their master.
func (f *fleet) replicasOf(ctx context.Context, master int) (list []int) {
	for i, info := range f.roles(ctx) {
		if field(info, "role") == "slave" && field(info, "master_port") == fmt.Sprint(f.links[master].Port()) {
			list = append(list, i)
		}
	}
	return list
}

// Hold is documented at [Replicated]. A replica with a password that its master
// does not know is never let in, and everybody goes on taking it for a replica.
func (f *fleet) Hold(ctx context.Context, master int) error {
	replicas := f.replicasOf(ctx, master)
	if len(replicas) == 0 {
		return fmt.Errorf("r%d has no replica", master)
	}
	for _, i := range replicas {
		if _, err := call(ctx, f.ports[i], "CONFIG", "SET", "masterauth", "wrong"); err != nil {
			return err
		}
		if _, err := call(ctx, f.ports[i], "CLIENT", "KILL", "TYPE", "master"); err != nil {
			return err
		}
	}
	return nil
}

// Release is documented at [Replicated].
func (f *fleet) Release(ctx context.Context) error {
	for i, p := range f.running {
		if p.Ended() {
			continue // its password goes with it
		}
		if _, err := call(ctx, f.ports[i], "CONFIG", "SET", "masterauth", ""); err != nil {
			return err
		}
	}
	return nil
}

// Keeps is documented at [Replicated]: a room's head is under a key that ends with
// the room's name, behind the tag of its partition.
func (f *fleet) Keeps(ctx context.Context, master int) (func(string) bool, error) {
	keys, err := call(ctx, f.ports[master], "KEYS", "finch:h:*")
	if err != nil {
		return nil, err
	}
	var rooms []string
	for key := range strings.SplitSeq(keys, "\n") {
		if _, room, ok := strings.Cut(key, "}"); ok {
			rooms = append(rooms, room)
		}
	}
	if len(rooms) == 0 {
		return nil, fmt.Errorf("r%d has no room", master)
	}
	return func(room string) bool {
		return slices.ContainsFunc(rooms, func(key string) bool { return strings.HasSuffix(key, room) })
	}, nil
}

// awaits polls until a look finds nothing wrong.
func awaits(ctx context.Context, what string, look func() error) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := look()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, err)
		case <-tick.C:
		}
	}
}

// inStep says what is wrong with the servers: all are up, as many as should be are
// masters, and the others follow one of them.
func (f *fleet) inStep(ctx context.Context) error {
	masters := 0
	var ports []string
	infos := f.roles(ctx)
	for i, info := range infos {
		if field(info, "role") == "master" {
			masters++
			ports = append(ports, fmt.Sprint(f.links[i].Port()))
		}
	}
	if masters != f.masters {
		return fmt.Errorf("%d servers are masters, not %d", masters, f.masters)
	}
	for i, info := range infos {
		switch {
		case info == "":
			return fmt.Errorf("r%d does not answer", i)
		case field(info, "role") == "slave" && (field(info, "master_link_status") != "up" || !slices.Contains(ports, field(info, "master_port"))):
			return fmt.Errorf("r%d does not follow its master", i)
		}
	}
	return nil
}
