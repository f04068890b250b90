package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxPayload is the longest data of a message, if the options do not say.
	maxPayload = 1 << 20
	// headroom is for the headers of a message.
	headroom = 4 << 10
)

// A process is the server, and the lock on its directory.
type process struct {
	server *server.Server
	lock   *os.File
	log    *serverLog
}

// startProcess starts a server that listens nowhere. Its connections are pipes.
func startProcess(ctx context.Context, o Options) (*process, error) {
	if o.Dir == "" {
		return nil, errors.New("embedded: Options.Dir is empty: say where the history is to be kept")
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded: Options.Dir cannot be made: %w", err)
	}
	lock, err := lockFile(filepath.Join(o.Dir, "lock"))
	if err != nil {
		return nil, fmt.Errorf("embedded: Options.Dir %q cannot be used; perhaps another process does: %w", o.Dir, err)
	}
	options := &server.Options{
		ServerName: "finch", DontListen: true, NoSigs: true, NoSystemAccount: false,
		JetStream: true, StoreDir: o.Dir,
		JetStreamMaxStore: o.MaxDisk, JetStreamMaxMemory: cmp.Or(o.MaxMemory, 64<<20),
		MaxPayload: int32(min(cmp.Or(o.NATS.MaxPayload, maxPayload), 1<<30) + headroom),
		SyncAlways: o.SyncInterval < 0, SyncInterval: cmp.Or(max(o.SyncInterval, 0), time.Second),
	}
	p := &process{lock: lock, log: &serverLog{to: o.Logger, fatal: make(chan string, 1)}}
	if p.server, err = server.NewServer(options); err != nil {
		lock.Close()
		return nil, fmt.Errorf("embedded: %w", err)
	}
	p.server.SetLoggerV2(p.log, false, false, false)
	p.server.Start() // with nothing to listen to it returns
	select {
	case why := <-p.log.fatal:
		err = fmt.Errorf("%w: embedded: the server cannot start: %s", broker.ErrUnavailable, why)
	default:
		if !p.server.JetStreamEnabled() {
			err = fmt.Errorf("%w: embedded: the server started without its store", broker.ErrUnavailable)
		}
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

// fault says why the server cannot write, if that is so. It does not get over it by
// itself.
func (p *process) fault() string {
	if h := p.server.Healthz(&server.HealthzOptions{}); h.Status != "ok" {
		return h.Error
	}
	return ""
}

// probeSize is what has to fit on the disk before the server is started again.
const probeSize = 4 << 20

// writable reports whether a directory can be written to.
func writable(dir string) error {
	name := filepath.Join(dir, "probe")
	err := os.WriteFile(name, make([]byte, probeSize), 0o600)
	if e := os.Remove(name); err == nil {
		err = e
	}
	return err
}

// stop ends the server when all it holds is written.
func (p *process) stop() {
	p.server.Shutdown()
	p.server.WaitForShutdown()
	p.lock.Close() // which unlocks it
}

// serverLog passes on what the server has to say that matters.
type serverLog struct {
	to    *slog.Logger
	fatal chan string
	once  sync.Once
}

func (l *serverLog) Noticef(string, ...any) {}
func (l *serverLog) Debugf(string, ...any)  {}
func (l *serverLog) Tracef(string, ...any)  {}
func (l *serverLog) Warnf(format string, v ...any) {
	l.to.Warn("embedded: the server warns", "text", fmt.Sprintf(format, v...))
}
func (l *serverLog) Errorf(format string, v ...any) {
	l.to.Error("embedded: the server reports an error", "text", fmt.Sprintf(format, v...))
}

// Fatalf is told what keeps the server from starting. A server of its own would
// end its process now; this one must not.
func (l *serverLog) Fatalf(format string, v ...any) {
	l.once.Do(func() { l.fatal <- fmt.Sprintf(format, v...) })
}
