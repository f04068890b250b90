package stage

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/finch-go/finch/chaos/internal/link"
	"github.com/finch-go/finch/chaos/internal/server"
)

// Local is a store inside the one node that there is: in memory, or on the disk.
type Local struct {
	kind string
	dir  string
}

// NewLocal makes the store of a kind: memory or embedded.
func NewLocal(kind, dir string) *Local { return &Local{kind, filepath.Join(dir, "store")} }

// Start is documented at [Store].
func (l *Local) Start(context.Context) error { return os.MkdirAll(l.dir, 0o700) }

// Node is documented at [Store].
func (l *Local) Node(int) server.Node { return server.Node{Broker: l.kind, Dir: l.dir} }

// Servers is documented at [Store].
func (l *Local) Servers() []*Process { return nil }

// Restart is documented at [Store].
func (l *Local) Restart(int) error { return errors.New("there are no servers") }

// Leader is documented at [Store].
func (l *Local) Leader(context.Context, int) int { return -1 }

// Links is documented at [Store].
func (l *Local) Links(int) []*link.Proxy { return nil }

// Routes is documented at [Store].
func (l *Local) Routes(int) []*link.Proxy { return nil }

// Save copies the directory: the node is paused meanwhile by who calls.
func (l *Local) Save(context.Context) error { return replace(l.dir+"-saved", l.dir) }

// Restore puts the directory back: the node is dead meanwhile.
func (l *Local) Restore(_ context.Context, down func()) error {
	down()
	return replace(l.dir, l.dir+"-saved")
}

// Well is documented at [Store].
func (l *Local) Well(context.Context) error { return nil }

// Close is documented at [Store].
func (l *Local) Close() {}

// replace makes one directory a copy of another.
func replace(to, from string) error {
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}
