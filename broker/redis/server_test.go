package redis_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/redis"
	"github.com/finch-go/finch/internal/child"
	"github.com/finch-go/finch/internal/redisserver"
)

// A server is a process of redis-server on a free port of the loopback, in a
// directory of its own.
type server struct {
	t       testing.TB
	dir     string
	port    int
	args    []string
	process *child.Process // nil when it was killed
}

// freePort finds a port on which nobody listens.
func freePort(t testing.TB) int {
	t.Helper()
	ports, err := child.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return ports[0]
}

// startServer starts a server that keeps nothing on disk, with more arguments of
// its command line.
func startServer(t testing.TB, args ...string) *server {
	t.Helper()
	s := newServer(t, args...)
	s.start()
	return s
}

func newServer(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), port: freePort(t), args: args}
	t.Cleanup(s.kill)
	return s
}

func (s *server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *server) start() {
	s.t.Helper()
	s.launch("--save", "", "--appendonly", "no")
	s.awaitReady()
}

// launch starts the process and does not wait for it.
func (s *server) launch(before ...string) {
	s.t.Helper()
	args := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir}, before...)
	s.run(append(args, s.args...)...)
}

func (s *server) run(args ...string) {
	s.t.Helper()
	var err error
	s.process, err = child.Start(child.Options{Name: "redis-server", Program: redisserver.Need(s.t), Args: args, Anywhere: true})
	if err != nil {
		s.t.Fatal(err)
	}
}

// awaitReady waits until the server answers.
func (s *server) awaitReady() {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.process.Await(ctx, func() error {
		text, err := s.try("PING")
		if refused, ok := rueidis.IsRedisErr(err); ok && strings.HasPrefix(refused.Error(), "NOAUTH") {
			return nil
		}
		if err == nil && text != "PONG" {
			err = fmt.Errorf("it answers %q", text)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// pause lets the process stand still, with all of its connections, until resume.
func (s *server) pause() {
	s.t.Helper()
	if err := s.process.Pause(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) resume() {
	s.t.Helper()
	if err := s.process.Resume(); err != nil {
		s.t.Fatal(err)
	}
}

// ask calls a command on a connection of its own.
func (s *server) ask(command ...string) (rueidis.RedisMessage, error) {
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.address()}, ForceSingleClient: true, DisableCache: true, DisableRetry: true})
	if client != nil {
		defer client.Close()
	}
	if err != nil {
		return rueidis.RedisMessage{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return client.Do(ctx, client.B().Arbitrary(command...).Build()).ToMessage()
}

// try calls a command and returns its answer as text.
func (s *server) try(command ...string) (string, error) {
	answer, err := s.ask(command...)
	if err != nil && !rueidis.IsRedisNil(err) {
		return "", err
	}
	if n, err := answer.AsInt64(); err == nil {
		return strconv.FormatInt(n, 10), nil
	}
	text, _ := answer.ToString()
	return text, nil
}

// do calls a command, which must succeed.
func (s *server) do(command ...string) string {
	s.t.Helper()
	text, err := s.try(command...)
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	return text
}

// list calls a command whose answer is a list of texts.
func (s *server) list(command ...string) []string {
	s.t.Helper()
	answer, err := s.ask(command...)
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	texts, err := answer.AsStrSlice()
	if err != nil {
		s.t.Fatalf("%v: %v", command, err)
	}
	return texts
}

// kill ends the process as a power failure would.
func (s *server) kill() {
	if s.process == nil {
		return
	}
	s.process.Kill()
	if s.t.Failed() {
		s.t.Logf("server %d said:\n%s", s.port, tail(s.process.Said()))
	}
	s.process = nil
}

func tail(text string) string { return text[max(0, len(text)-2000):] }

// patience is how long is waited for what is owed.
const patience = 30 * time.Second

// until polls a fact, no longer than half a minute.
func until(t testing.TB, what string, fact func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !fact(); pause = min(2*pause, 50*time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within half a minute: %s", what)
		}
		wait(pause)
	}
}

// wait waits for the time between two looks at a real process.
func wait(d time.Duration) { <-time.After(d) }

var namespaces atomic.Int64

// namespace is a new one, so that one server is an empty store again.
func namespace() string { return fmt.Sprint("t", namespaces.Add(1)) }

// started starts a broker and closes it at the end of the test.
func started(t testing.TB, o redis.Options, id string, sink broker.Sink, profiles ...broker.Profile) *redis.Broker {
	t.Helper()
	b := redis.New(o)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: id, Profiles: profiles}, sink); err != nil {
		t.Fatalf("Start: %v", err)
	}
	t.Cleanup(func() { closed(t, b) })
	return b
}

func closed(t testing.TB, b *redis.Broker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Errorf("Close: %v", err)
	}
}
