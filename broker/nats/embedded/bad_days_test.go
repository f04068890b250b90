package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
)

// TestWhatKeepsANodeFromStartingIsSaid: the error says what is wrong and what to
// do, at once where waiting is of no use, and never a password.
func TestWhatKeepsANodeFromStartingIsSaid(t *testing.T) {
	t.Parallel() // it waits most of its time
	plain := servers.NewCluster(t, 1, nil)
	guarded := servers.NewCluster(t, 1, func(o *server.Options) { o.Username, o.Password = "ann", "sesame" })
	small := newServerWithoutStore(t)
	conn, err := natsgo.Connect(plain.URL(0))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	servers.API(t, conn, "STREAM.CREATE.foreign_h_=_0", map[string]any{"name": "foreign_h_=_0", "subjects": []string{"foreign.h.=.0.*"}, "storage": "memory"}, nil)
	servers.Start(t, nats.New(nats.Options{URL: plain.URL(0), Namespace: "eight", Logger: servers.Quiet}), "n")
	gone := strings.Replace(plain.URL(0), "//", "//ann:sesame@", 1)
	gone = gone[:strings.LastIndexByte(gone, ':')] + ":1"
	tests := []struct {
		name        string
		options     nats.Options
		waits       bool // until the context ends
		unavailable bool
		says        []string
	}{
		{"nobody listens", nats.Options{URL: gone}, true, true, []string{"no server answers", "***@127.0.0.1:1", "refused"}},
		{"the URL is none", nats.Options{URL: "nats://a b:c:d"}, false, false, []string{"Options.URL"}},
		{"a wrong password", nats.Options{URL: strings.Replace(guarded.URL(0), "//", "//ann:open@", 1)}, false, false, []string{"refuses these credentials"}},
		{"no password", nats.Options{URL: guarded.URL(0)}, false, false, []string{"refuses these credentials"}},
		{"a server without JetStream", nats.Options{URL: small}, false, true, []string{"JetStream", "-js"}},
		{"replicas on a server that is alone", nats.Options{URL: plain.URL(0), Replicas: 3, Namespace: "three"}, false, false, []string{"Options.Replicas is 3", "alone"}},
		{"a stream of somebody else", nats.Options{URL: plain.URL(0), Namespace: "foreign"}, false, false, []string{"foreign_h_=_0", `storage "memory"`, "nats stream rm"}},
		{"another number of partitions", nats.Options{URL: plain.URL(0), Namespace: "eight", Partitions: 4}, false, false, []string{"8 partitions", "Options.Partitions is 4"}},
		{"a certificate that is not there", nats.Options{Connect: []natsgo.Option{natsgo.RootCAs("missing.pem")}}, false, false, []string{"Options.Connect", "missing.pem"}},
		{"options that are not valid", nats.Options{Namespace: "a.b"}, false, false, []string{"Namespace"}},
		{"options that are not valid", nats.Options{Partitions: 65}, false, false, []string{"Partitions"}},
		{"options that are not valid", nats.Options{Replicas: 2}, false, false, []string{"Replicas"}},
		{"options that are not valid", nats.Options{ForgetAfter: time.Minute}, false, false, []string{"ForgetAfter"}},
		{"options that are not valid", nats.Options{Lease: time.Second}, false, false, []string{"Lease"}},
		{"options that are not valid", nats.Options{Lease: 2500 * time.Millisecond}, false, false, []string{"Lease"}},
		{"options that are not valid", nats.Options{DedupeWindow: time.Millisecond}, false, false, []string{"DedupeWindow"}},
		{"options that are not valid", nats.Options{MaxBytes: -1}, false, false, []string{"MaxBytes"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.options.Logger = servers.Quiet
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			b, in := nats.New(tt.options), &brokertest.Inbox{}
			err := b.Start(ctx, broker.Node{ID: "n"}, in)
			if err == nil {
				b.Close(t.Context())
				t.Fatal("it started")
			}
			if waited := ctx.Err() != nil; waited != tt.waits {
				t.Errorf("it waited until the context ended: %v", waited)
			}
			if errors.Is(err, broker.ErrUnavailable) != tt.unavailable {
				t.Errorf("ErrUnavailable: %v", !tt.unavailable)
			}
			for _, text := range tt.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q does not say %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "sesame") || strings.Contains(err.Error(), "open@") {
				t.Errorf("%q says a password", err)
			}
			if len(in.States()) != 0 {
				t.Errorf("a node that did not start told its states %v", in.States())
			}
			if err := b.Close(t.Context()); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

// newServerWithoutStore starts a server without JetStream.
func newServerWithoutStore(t *testing.T) string {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: servers.FreePorts(t, 1)[0], NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(servers.Patience) {
		t.Fatal("the server does not start")
	}
	return s.ClientURL()
}

func TestNodeThatIsStartedBeforeItsServerWaits(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	c.Stop(0)
	started := make(chan error, 1)
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	ctx, cancel := context.WithTimeout(t.Context(), servers.Patience)
	defer cancel()
	go func() { started <- b.Start(ctx, broker.Node{ID: "n"}, &brokertest.Inbox{}) }()
	select {
	case err := <-started:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	c.Start(t, 0)
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	servers.Publish(t, b, "r", "1", broker.PublishOptions{})
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestMessagesKeepToWhatTheServerTakes(t *testing.T) {
	c := servers.NewCluster(t, 1, func(o *server.Options) { o.MaxPayload = 32 << 10 })
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, b, "n")
	most := b.Caps().MaxPayload
	if most >= 32<<10 || most < 24<<10 {
		t.Fatalf("MaxPayload is %d on a server that takes 32 KiB with headers", most)
	}
	data := make([]byte, most)
	servers.Publish(t, b, "r", string(data), broker.PublishOptions{Key: strings.Repeat("k", 128), From: "ann", Publisher: "p"})
	if _, err := b.Publish(t.Context(), "r", make([]byte, most+1), broker.PublishOptions{}); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("a byte more: %v", err)
	}
	if _, err := b.Publish(t.Context(), "r", data, broker.PublishOptions{Key: strings.Repeat("k", 8<<10)}); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("with a very long key: %v", err)
	}
	servers.Publish(t, b, "r", "the connection lives", broker.PublishOptions{})
}

func TestFullDiskRefusesMessagesUntilThereIsRoom(t *testing.T) {
	b := embedded.New(embedded.Options{Dir: t.TempDir(), MaxDisk: 4 << 20, Logger: servers.Quiet})
	servers.Start(t, b, "n", broker.Profile{Size: 1000})
	data := make([]byte, 100<<10)
	var err error
	n := 0
	for ; err == nil && n < 100; n++ {
		_, err = b.Publish(t.Context(), "r", data, broker.PublishOptions{})
	}
	if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "resource") {
		t.Fatalf("message %d: %v", n, err)
	}
	if page := servers.Read(t, b, "r", broker.Range{}); len(page.Messages) != n-1 {
		t.Errorf("%d messages are there, %d were acknowledged", len(page.Messages), n-1)
	}
	if err := b.Purge(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, "room on the disk", func() bool {
		_, err := b.Publish(t.Context(), "r", data, broker.PublishOptions{})
		return err == nil
	})
}

func TestEveryMessageCanBeWrittenThrough(t *testing.T) {
	dir := t.TempDir()
	for i := range 2 {
		b := embedded.New(embedded.Options{Dir: dir, SyncInterval: -1, Logger: servers.Quiet})
		in := &brokertest.Inbox{}
		if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
			t.Fatal(err)
		}
		servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		if n := len(servers.Read(t, b, "r", broker.Range{}).Messages); n != i+1 {
			t.Errorf("%d messages in run %d", n, i)
		}
		if caps := b.Caps(); !caps.Durable || caps.Cluster || caps.MaxPayload != 1<<20 {
			t.Errorf("%+v", caps)
		}
		servers.CloseNode(t, b)
	}
}

// TestDiskThatBreaksIsWaitedFor: what the server meets when it wants another file
// is what it meets on a full disk. Nothing that was acknowledged is lost, and
// nobody has to start anything again.
func TestDiskThatBreaksIsWaitedFor(t *testing.T) {
	t.Parallel() // it waits most of its time
	dir := t.TempDir()
	b := embedded.New(embedded.Options{Dir: dir, Logger: servers.Quiet, NATS: nats.Options{Partitions: 1, Timeout: 20 * time.Second}})
	in := servers.Start(t, b, "n", broker.Profile{Size: 1000})
	files := filepath.Join(dir, "jetstream", "$G", "streams", "finch_h_=_0", "msgs")
	if err := os.Rename(files, files+".away"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 500<<10)
	acked := 0
	var err error
	for ; err == nil && acked < 100; acked++ { // until the file that is open is full
		_, err = b.Publish(t.Context(), "r", data, broker.PublishOptions{Key: fmt.Sprint(acked)})
	}
	acked--
	if !errors.Is(err, broker.ErrUnknownOutcome) || acked == 0 {
		t.Fatalf("message %d: %v", acked, err)
	}
	servers.Eventually(t, "the end of the server", func() bool { return slices.Contains(in.States(), broker.Down) })
	begun := time.Now()
	if _, err = b.Publish(t.Context(), "r", data, broker.PublishOptions{}); !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "cannot be written to") || time.Since(begun) > time.Second {
		t.Errorf("a publish meanwhile: %v after %v", err, time.Since(begun))
	}
	os.RemoveAll(files)
	if err := os.Rename(files+".away", files); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, "the disk", func() bool {
		_, err := b.Publish(t.Context(), "r", data, broker.PublishOptions{Key: fmt.Sprint(acked)})
		return err == nil
	})
	if page := servers.Read(t, b, "r", broker.Range{}); len(page.Messages) != acked+1 {
		t.Errorf("%d messages are there, and %d were acknowledged", len(page.Messages), acked+1)
	}
}

func TestDirectoryThatCannotBeUsedIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	first := embedded.New(embedded.Options{Dir: dir, Logger: servers.Quiet})
	servers.Start(t, first, "n")
	for _, tt := range []struct{ dir, says string }{{"", "Options.Dir is empty"}, {file, "Options.Dir"}, {filepath.Join(file, "below"), "Options.Dir"}, {dir, "another process"}} {
		b := embedded.New(embedded.Options{Dir: tt.dir, Logger: servers.Quiet})
		if err := b.Start(t.Context(), broker.Node{ID: "m"}, &brokertest.Inbox{}); err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%q: %v", tt.dir, err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if err := first.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{}); err == nil {
		t.Error("a broker was started twice")
	}
	servers.Publish(t, first, "r", "1", broker.PublishOptions{})
}
