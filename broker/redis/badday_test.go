package redis_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// startError starts a broker that is expected to fail.
func startError(t *testing.T, o redis.Options, patience time.Duration) (took time.Duration, err error) {
	t.Helper()
	if o.Namespace == "" {
		o.Namespace = namespace()
	}
	b := redis.New(o)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	err = b.Start(ctx, broker.Node{ID: "late"}, &brokertest.Inbox{})
	took = time.Since(began)
	if err == nil {
		closed(t, b)
		t.Fatal("it was started")
	}
	return took, err
}

func TestServerThatIsTooOldIsRefused(t *testing.T) {
	took, err := startError(t, redis.Options{Addresses: []string{oldServer(t, "6.2.14")}}, 20*time.Second)
	if !strings.Contains(err.Error(), `version "6.2.14"`) || !strings.Contains(err.Error(), "7.0") || took > 10*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestOptionsThatAreWrongAreRefused(t *testing.T) {
	for _, o := range []redis.Options{
		{Namespace: "a{b}"}, {Namespace: strings.Repeat("n", 33)}, {Partitions: -1}, {Partitions: 1025}, {MaxPayload: -1},
		{DedupeWindow: -time.Second}, {ForgetAfter: -time.Second}, {Timeout: -time.Second}, {Database: -1},
		{URL: "http://127.0.0.1"}, {URL: "redis://user:pass word@%zz"}, {URL: "redis://127.0.0.1:6379/x"},
	} {
		took, err := startError(t, o, 20*time.Second)
		if took > time.Second || errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("%+v: after %v: %v", o, took, err)
		}
		if strings.Contains(err.Error(), "pass word") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestPasswordThatIsRefusedIsSaidAtOnce(t *testing.T) {
	s := startServer(t, "--requirepass", "secret")
	for _, o := range []redis.Options{
		{Addresses: []string{s.address()}},
		{Addresses: []string{s.address()}, Password: "wrong"},
		{URL: "redis://:wrong@" + s.address()},
	} {
		took, err := startError(t, o, 20*time.Second)
		if took > 5*time.Second || !strings.Contains(err.Error(), "password") || strings.Contains(err.Error(), "wrong@") {
			t.Errorf("after %v: %v", took, err)
		}
	}
	o := redis.Options{URL: "redis://:secret@" + s.address(), Namespace: namespace()}
	publish(t, started(t, o, "n", &brokertest.Inbox{}), "r", "data", broker.PublishOptions{})
}

func TestReplicaIsRefused(t *testing.T) {
	master := startServer(t)
	replica := startServer(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(master.port))
	_, err := startError(t, redis.Options{Addresses: []string{replica.address()}}, 20*time.Second)
	if !strings.Contains(err.Error(), "replica") {
		t.Error(err)
	}
}

func TestServerThatIsNotThereIsWaitedFor(t *testing.T) {
	s := newServer(t)
	took, err := startError(t, redis.Options{Addresses: []string{s.address()}}, 500*time.Millisecond)
	if !errors.Is(err, broker.ErrUnavailable) || took < 300*time.Millisecond || took > 5*time.Second {
		t.Errorf("after %v: %v", took, err)
	}
	b := redis.New(redis.Options{Addresses: []string{s.address()}})
	done := make(chan error)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		done <- b.Start(ctx, broker.Node{ID: "n"}, &brokertest.Inbox{})
	}()
	s.start()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	defer closed(t, b)
	publish(t, b, "r", "data", broker.PublishOptions{})
}

func TestStartThatFailedMayBeTriedAgain(t *testing.T) {
	s := newServer(t)
	b := redis.New(redis.Options{Addresses: []string{s.address()}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: "n"}, &brokertest.Inbox{}); !errors.Is(err, broker.ErrUnavailable) {
		t.Fatal(err)
	}
	s.start()
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{}); err != nil {
		t.Fatal(err)
	}
	defer closed(t, b)
	publish(t, b, "r", "data", broker.PublishOptions{})
}

func TestNamespaceHasOneNumberOfPartitions(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	st.node("n", &brokertest.Inbox{})
	o := st.options
	o.Partitions = 32
	_, err := startError(t, o, 20*time.Second)
	if !strings.Contains(err.Error(), "64 partitions, not 32") {
		t.Error(err)
	}
	s.do("FLUSHALL")
	until(t, "the number is there again", func() bool { return len(s.list("KEYS", "*partitions*")) == 1 })
	if _, err := startError(t, o, 20*time.Second); !strings.Contains(err.Error(), "64 partitions, not 32") {
		t.Error(err)
	}
}

// A logbook keeps what was logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) has(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), text)
}

func TestPolicyThatEvictsHeadsIsWarnedOf(t *testing.T) {
	for policy, warned := range map[string]bool{"allkeys-lru": true, "volatile-ttl": true, "noeviction": false} {
		s := startServer(t, "--maxmemory", "100mb", "--maxmemory-policy", policy)
		var log logbook
		o := redis.Options{Addresses: []string{s.address()}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		started(t, o, "n", &brokertest.Inbox{})
		if log.has("maxmemory-policy") != warned {
			t.Errorf("%s: warned %v", policy, !warned)
		}
	}
}

func TestFullServerRefusesAndRecovers(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	in := &brokertest.Inbox{}
	b := st.hasty()
	begin(t, b, "n", in)
	first := publish(t, b, "r", "1", broker.PublishOptions{Key: "k"})
	s.do("CONFIG", "SET", "maxmemory", "1mb")
	_, err := b.Publish(t.Context(), "r", []byte("2"), broker.PublishOptions{})
	if !errors.Is(err, broker.ErrUnavailable) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("Publish gives %v", err)
	}
	if ack, err := b.Publish(t.Context(), "r", []byte("1"), broker.PublishOptions{Key: "k"}); err == nil && !ack.Duplicate {
		t.Errorf("a repetition gives %+v", ack)
	}
	if page, err := b.Read(t.Context(), "r", broker.Range{}); err != nil || page.Head != first {
		t.Errorf("Read gives %+v, %v", page, err)
	}
	if err := b.Send(t.Context(), broker.Target{}, []byte("typing")); err != nil {
		t.Errorf("Send gives %v", err)
	}
	refused := time.Now()
	until(t, "a lease has had to be renewed", func() bool { return time.Since(refused) > 1500*time.Millisecond })
	s.do("CONFIG", "SET", "maxmemory", "0")
	if second := publish(t, b, "r", "2", broker.PublishOptions{}); second.Offset != first.Offset+1 {
		t.Errorf("%v after %v", second, first)
	}
	if !slices.Equal(in.States(), []broker.State{broker.Connected}) {
		t.Errorf("states %v", in.States())
	}
}

func TestServerThatGoesAndComesBack(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	in, other := &brokertest.Inbox{}, &brokertest.Inbox{}
	b, c := st.node("n", in), st.node("m", other)
	open(t, b, names("r", 700)...)
	old := publish(t, c, "r-1", "1", broker.PublishOptions{})
	if err := b.SetShare(t.Context(), "r-1", 3); err != nil {
		t.Fatal(err)
	}
	s.kill()
	until(t, "the node is down", func() bool { return slices.Contains(in.States(), broker.Down) })
	for range 100 {
		began := time.Now()
		_, err := b.Publish(t.Context(), "r-1", nil, broker.PublishOptions{})
		if !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("Publish gives %v", err)
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("a publish that fails takes %v", took)
		}
	}
	if down := other.Downs(); len(down) != 0 {
		t.Errorf("a node that is cut off says that others have gone: %v", down)
	}
	s.start() // empty
	until(t, "both are connected", func() bool { return last(in.States()) == broker.Connected && last(other.States()) == broker.Connected })
	if in.UncertainCount() == 0 {
		t.Error("the node is not uncertain")
	}
	fresh := publish(t, c, "r-1", "2", broker.PublishOptions{})
	if fresh.Epoch == old.Epoch {
		t.Errorf("a store that was emptied has the epoch it had: %v", fresh)
	}
	until(t, "the message is delivered", func() bool {
		return slices.ContainsFunc(in.Messages("r-1"), func(m broker.Message) bool { return m.Position == fresh })
	})
	until(t, "the share is there again", func() bool {
		shares, err := c.Shares(t.Context(), "r-1")
		return err == nil && len(shares) == 1 && shares[0].Members == 3
	})
	until(t, "they know of each other", func() bool { return len(b.Nodes()) == 2 && len(c.Nodes()) == 2 })
}

func last[T any](s []T) (v T) {
	if len(s) > 0 {
		v = s[len(s)-1]
	}
	return v
}

func TestServerThatHangsIsDown(t *testing.T) {
	s := startServer(t)
	o := redis.Options{Addresses: []string{s.address()}, Timeout: time.Second}
	in := &brokertest.Inbox{}
	b := redis.New(newStore(t, o).options)
	redis.Hasten(b, 200*time.Millisecond, 10*time.Second, time.Second)
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	defer closed(t, b)
	open(t, b, "r")
	s.pause()
	began := time.Now()
	_, err := b.Publish(t.Context(), "r", nil, broker.PublishOptions{})
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("after %v Publish gives %v", time.Since(began), err)
	}
	until(t, "the node is down", func() bool { return slices.Contains(in.States(), broker.Down) })
	began = time.Now()
	if _, err := b.Publish(t.Context(), "r", nil, broker.PublishOptions{}); !errors.Is(err, broker.ErrUnavailable) || time.Since(began) > 100*time.Millisecond {
		t.Errorf("after %v Publish gives %v", time.Since(began), err)
	}
	s.resume()
	until(t, "the node is connected", func() bool { return last(in.States()) == broker.Connected })
	p := publish(t, b, "r", "data", broker.PublishOptions{})
	until(t, "the message is delivered", func() bool {
		return slices.ContainsFunc(in.Messages("r"), func(m broker.Message) bool { return m.Position == p })
	})
}

func TestSubscriberThatIsCutOffIsUncertain(t *testing.T) {
	s := startServer(t)
	in := &brokertest.Inbox{}
	b := newStore(t, redis.Options{Addresses: []string{s.address()}}).node("n", in)
	open(t, b, "r")
	s.do("CLIENT", "KILL", "TYPE", "pubsub")
	until(t, "the node is uncertain", func() bool { return in.UncertainCount() == 1 })
	p := publish(t, b, "r", "data", broker.PublishOptions{})
	until(t, "the message is delivered", func() bool {
		return slices.ContainsFunc(in.Messages("r"), func(m broker.Message) bool { return m.Position == p })
	})
	if !slices.Equal(in.States(), []broker.State{broker.Connected}) {
		t.Errorf("states %v: a connection that is made again in a moment is no news", in.States())
	}
}

func TestSubscriptionThatDiedSilentlyIsFound(t *testing.T) {
	s := startServer(t)
	p := startProxy(t, s.address())
	b := redis.New(newStore(t, redis.Options{Addresses: []string{s.address()}}).through(p))
	redis.Hasten(b, 2*time.Second, 10*time.Second, 200*time.Millisecond)
	in := &brokertest.Inbox{}
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	defer closed(t, b)
	open(t, b, "r")
	lost := publish(t, b, "r", "1", broker.PublishOptions{})
	until(t, "the first message is delivered", func() bool { return len(in.Messages("r")) == 1 })
	p.setMute(true)
	publish(t, b, "r", "2", broker.PublishOptions{})
	until(t, "the node is uncertain", func() bool { return in.UncertainCount() > 0 })
	p.setMute(false)
	until(t, "a message is delivered again", func() bool {
		fresh := publish(t, b, "r", "3", broker.PublishOptions{})
		return fresh.Epoch == lost.Epoch && slices.ContainsFunc(in.Messages("r"), func(m broker.Message) bool { return m.Position.Offset > lost.Offset+1 })
	})
}

func TestServerThatBecomesAReplicaIsLeft(t *testing.T) {
	old, next := startServer(t), startServer(t)
	p := startProxy(t, old.address())
	st := newStore(t, redis.Options{Addresses: []string{old.address()}})
	in := &brokertest.Inbox{}
	b := started(t, st.through(p), "n", in)
	open(t, b, "r")
	publish(t, b, "r", "1", broker.PublishOptions{})
	// What a name leads to changes, while the connections stay: the way in which
	// hosted servers fail over.
	p.mu.Lock()
	p.target = next.address()
	p.mu.Unlock()
	old.do("REPLICAOF", "127.0.0.1", fmt.Sprint(next.port))
	if _, err := b.Publish(t.Context(), "r", nil, broker.PublishOptions{}); err != nil && !errors.Is(err, broker.ErrUnavailable) {
		t.Errorf("Publish gives %v", err)
	}
	until(t, "the new master is found", func() bool {
		_, err := b.Publish(t.Context(), "r", []byte("2"), broker.PublishOptions{})
		return err == nil
	})
	until(t, "the node is connected and uncertain", func() bool { return last(in.States()) == broker.Connected && in.UncertainCount() > 0 })
	found := publish(t, b, "r", "3", broker.PublishOptions{})
	until(t, "the message is delivered", func() bool {
		return slices.ContainsFunc(in.Messages("r"), func(m broker.Message) bool { return m.Position == found })
	})
}

func TestUserWithFewRightsServes(t *testing.T) {
	s := startServer(t)
	s.do(strings.Fields("ACL SETUSER finch on >secret ~finch:* &finch:* " + redis.Rights)...)
	o := redis.Options{Addresses: []string{s.address()}, Username: "finch", Password: "secret"}
	in := &brokertest.Inbox{}
	b := started(t, o, "n", in)
	open(t, b, "r")
	p := publish(t, b, "r", "data", broker.PublishOptions{Key: "k"})
	until(t, "the message is delivered", func() bool { return len(in.Messages("r")) == 1 })
	if page, err := b.Read(t.Context(), "r", broker.Range{From: p}); err != nil || len(page.Messages) != 1 {
		t.Errorf("Read gives %+v, %v", page, err)
	}
	errs := []error{b.Purge(t.Context(), "r"), b.SetShare(t.Context(), "r", 1), b.SetShare(t.Context(), "r", 0)}
	_, err := b.Shares(t.Context(), "r")
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Error(err)
	}
	for missing, rule := range map[string]string{"channel": "resetchannels", "command": "-spublish"} {
		s.do(strings.Fields("ACL SETUSER finch &finch:* " + redis.Rights)...)
		s.do("ACL", "SETUSER", "finch", rule)
		took, err := startError(t, redis.Options{Addresses: o.Addresses, Username: o.Username, Password: o.Password, Namespace: "finch"}, 10*time.Second)
		if !strings.Contains(err.Error(), "access list") || took > 5*time.Second {
			t.Errorf("without the %s: after %v: %v", missing, took, err)
		}
	}
}

func TestAddressesThatDoNotFitAreSaidAtOnce(t *testing.T) {
	one, two := startServer(t), startServer(t)
	sentinel := startSentinel(t, one)
	for want, o := range map[string]redis.Options{
		"not a Cluster": {Addresses: []string{one.address(), two.address()}},
		"no master":     {Addresses: []string{sentinel.address()}, SentinelMaster: "another"},
	} {
		if took, err := startError(t, o, 10*time.Second); !strings.Contains(err.Error(), want) || took > 5*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	}
}
