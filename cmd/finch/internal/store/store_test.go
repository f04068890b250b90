package store_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/cmd/finch/internal/store"
	"github.com/finch-go/finch/cmd/finch/internal/store/servers"
)

// short is a patience for servers that are not there.
const short = 10 * time.Millisecond

func open(t *testing.T, o store.Options) *store.Store {
	t.Helper()
	if o.Say == nil {
		o.Say = func(sentence string) { t.Log(sentence) }
	}
	s, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNodesAgreeOnASecret(t *testing.T) {
	port := servers.FreePort(t)
	servers.StartRedis(t, port)
	for name, o := range map[string]store.Options{
		"NATS":  {NATS: servers.StartNATS(t, &server.Options{JetStream: true})},
		"Redis": {Redis: "redis://127.0.0.1:" + port},
		"":      {Dir: filepath.Join(t.TempDir(), "new")},
	} {
		first, second := open(t, o), open(t, o)
		if first.Name != name || len(first.Secret) != 32 || !bytes.Equal(first.Secret, second.Secret) {
			t.Errorf("%q: %q has the secrets %x and %x", name, first.Name, first.Secret, second.Secret)
		}
		o.Secret = "a secret that people chose"
		if s := open(t, o); string(s.Secret) != o.Secret {
			t.Errorf("%q: the secret of people is %q", name, s.Secret)
		}
	}
}

func TestTheSecretOfADirectoryIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	open(t, store.Options{Dir: dir})
	info, err := os.Stat(filepath.Join(dir, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 1 {
		t.Errorf("the directory has %v, %v", left, err)
	}
}

func TestWhatIsWrongIsSaidInOneSentence(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	spoilt := t.TempDir()
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.WriteFile(filepath.Join(spoilt, "secret"), []byte("short"), 0o600)); err != nil {
		t.Fatal(err)
	}
	port := servers.FreePort(t)
	servers.StartRedis(t, port, "--requirepass", "opensesame")
	locked := servers.StartNATS(t, &server.Options{JetStream: true, Username: "ann", Password: "opensesame"})
	for _, row := range []struct {
		name  string
		o     store.Options
		wants []string
	}{
		{"no address of NATS", store.Options{NATS: "http://localhost:4222"}, []string{"no address of NATS", "--nats nats://localhost:4222"}},
		{"no address at all", store.Options{NATS: "nats://u:wrongpass@%zz"}, []string{"no address of NATS"}},
		{"no address of Redis", store.Options{Redis: "http://localhost"}, []string{"no address of Redis", "--redis redis://localhost:6379"}},
		{"Redis with a path of letters", store.Options{Redis: "redis://u:wrongpass@localhost/x"}, []string{"no address of Redis"}},
		{"nobody is NATS", store.Options{NATS: "u:wrongpass@127.0.0.1:" + servers.FreePort(t)}, []string{"nobody answers at nats://127.0.0.1", "nats-server -js"}},
		{"nobody is Redis", store.Options{Redis: "redis://u:wrongpass@127.0.0.1:" + servers.FreePort(t)}, []string{"nobody answers at redis://127.0.0.1", "redis-server"}},
		{"NATS wants no password of ours", store.Options{NATS: "nats://ann:wrongpass@" + locked}, []string{"refuses the user or the password", "nats://user:password@host"}},
		{"NATS wants a password", store.Options{NATS: locked}, []string{"refuses the user or the password"}},
		{"Redis wants no password of ours", store.Options{Redis: "redis://:wrongpass@127.0.0.1:" + port}, []string{"refuses the user or the password", "redis://user:password@host:6379"}},
		{"Redis wants a password", store.Options{Redis: "redis://127.0.0.1:" + port}, []string{"refuses the user or the password"}},
		{"JetStream is off", store.Options{NATS: servers.StartNATS(t, &server.Options{})}, []string{"JetStream", "nats-server -js"}},
		{"an old Redis", store.Options{Redis: servers.OldRedis(t, "6.2.14")}, []string{"too old", "Redis 7"}},
		{"a file is no directory", store.Options{Dir: filepath.Join(file, "below")}, []string{"cannot be written to", "--data demo-data"}},
		{"another secret lies there", store.Options{Dir: spoilt}, []string{"is not the secret of a demo", "remove it"}},
		{"a secret that is none", store.Options{Dir: t.TempDir(), Secret: "wrongpass"}, []string{"FINCH_SECRET has 9 characters"}},
	} {
		row.o.Say = func(string) {}
		if strings.HasPrefix(row.name, "nobody") || row.name == "JetStream is off" { // that may change, and is waited for
			row.o.Patience = short
		}
		_, err := store.Open(t.Context(), row.o)
		if err == nil {
			t.Errorf("%s: opened", row.name)
			continue
		}
		for _, want := range row.wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q, without %q", row.name, err, want)
			}
		}
		if strings.Contains(err.Error(), "wrongpass") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %q shows a password, or is more than a sentence", row.name, err)
		}
	}
}

func TestAServerThatComesLateIsWaitedFor(t *testing.T) {
	port := servers.FreePort(t)
	var said atomic.Value
	opened := make(chan error, 1)
	go func() {
		_, err := store.Open(t.Context(), store.Options{Redis: "127.0.0.1:" + port, Patience: time.Minute, Say: func(sentence string) { said.Store(sentence) }})
		opened <- err
	}()
	servers.Until(t, "it says that nobody answers", func() bool { return said.Load() != nil })
	if s := said.Load().(string); !strings.Contains(s, "redis://127.0.0.1:"+port+" yet") || !strings.Contains(s, "1m") {
		t.Errorf("it says %q", s)
	}
	servers.StartRedis(t, port)
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

// quiet is a sink that does not listen.
type quiet struct{ broker.Sink }

func (quiet) State(broker.State, error)     {}
func (quiet) NodeUp(broker.NodeState)       {}
func (quiet) NodeDown(broker.NodeState)     {}
func (quiet) Uncertain(broker.Scope, error) {}
func (quiet) Deliver(broker.Message)        {}
func (quiet) Receive(broker.Sent)           {}

var parts = []string{"chat", "pulse", "slow", "tabs"}

// begin starts the brokers of all parts, and ends them with the test.
func begin(t *testing.T, s *store.Store, node string) (all []broker.Broker, err error) {
	for _, part := range parts {
		b := s.Broker(part)
		if err := b.Start(t.Context(), broker.Node{ID: node}, quiet{}); err != nil {
			return nil, err
		}
		all = append(all, b)
		t.Cleanup(func() { b.Close(context.Background()) })
	}
	return all, nil
}

func TestPartsHearNothingOfEachOther(t *testing.T) {
	port := servers.FreePort(t)
	servers.StartRedis(t, port)
	for name, o := range map[string]store.Options{
		"NATS":        {NATS: servers.StartNATS(t, &server.Options{JetStream: true})},
		"Redis":       {Redis: "127.0.0.1:" + port},
		"a directory": {Dir: t.TempDir()},
	} {
		all, err := begin(t, open(t, o), "node")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := all[0].Publish(t.Context(), "a room", []byte("a message"), broker.PublishOptions{}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i, b := range all {
			page, err := b.Read(t.Context(), "a room", broker.Range{Limit: 10})
			if err != nil || len(page.Messages) != map[bool]int{true: 1}[i == 0] {
				t.Errorf("%s: %s has %d messages, %v", name, parts[i], len(page.Messages), err)
			}
			if nodes := b.Nodes(); len(nodes) != 1 {
				t.Errorf("%s: %s knows the nodes %v", name, parts[i], nodes)
			}
			if many := b.Caps().Cluster; many != (name != "a directory") {
				t.Errorf("%s: %s has other nodes: %v", name, parts[i], many)
			}
		}
	}
}

func TestADirectoryIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	if _, err := begin(t, open(t, store.Options{Dir: dir}), "one"); err != nil {
		t.Fatal(err)
	}
	second := open(t, store.Options{Dir: dir})
	_, err := begin(t, second, "two")
	if err == nil {
		t.Fatal("two processes have it")
	}
	if said := second.Explain(err).Error(); said != "another process uses "+dir+"; stop it, or choose another directory with --data" {
		t.Errorf("it says %q", said)
	}
}

func TestOtherReasonsAreExplainedWithoutOurOwnWords(t *testing.T) {
	port := servers.FreePort(t)
	servers.StartRedis(t, port)
	s := open(t, store.Options{Redis: "127.0.0.1:" + port})
	said := s.Explain(errors.New("finch: the broker does not start: broker unavailable: no room")).Error()
	if want := "the server at redis://127.0.0.1:" + port + " cannot be used: no room"; said != want {
		t.Errorf("it says %q, not %q", said, want)
	}
}
