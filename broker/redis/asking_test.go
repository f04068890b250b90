package redis_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
	"github.com/finch-go/finch/internal/child"
)

// nodeVariable makes the test's own program a node: its value is what the node is
// told, as JSON.
const nodeVariable = "FINCH_TEST_REDIS_NODE"

type nodeSpec struct{ ID, Address, Namespace string }

// playNode is a node that answers with its id, until standard input ends, which is
// the end of the test at the latest.
func playNode() int {
	var spec nodeSpec
	err := json.Unmarshal([]byte(os.Getenv(nodeVariable)), &spec)
	if err == nil {
		in := &brokertest.Inbox{AnswerFunc: func(context.Context, string, []byte) ([]byte, error) { return []byte(spec.ID), nil }}
		b := redis.New(redis.Options{Addresses: []string{spec.Address}, Namespace: spec.Namespace})
		err = b.Start(context.Background(), broker.Node{ID: spec.ID}, in)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	var b [1]byte
	os.Stdin.Read(b[:])
	return 0
}

// process starts a node in a process of its own, and waits until b knows it.
func (s *store) process(id string, b broker.Broker) *child.Process {
	s.t.Helper()
	spec, _ := json.Marshal(nodeSpec{id, s.options.Addresses[0], s.namespace})
	program, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	node, err := child.Start(child.Options{Name: "node " + id, Program: program, Env: []string{nodeVariable + "=" + string(spec)}, Anywhere: true})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(node.Kill)
	until(s.t, "the node answers", func() bool {
		answer, err := b.Ask(context.Background(), id, []byte("who?"))
		return err == nil && string(answer) == id
	})
	return node
}

// soon is when a question to a node that was killed has ended: long before its
// lease does.
const soon = 4 * time.Second

// ask puts a question n times at once, and returns where each one's error comes.
func ask(t *testing.T, b broker.Broker, node string, within time.Duration, n int) <-chan error {
	ctx, cancel := context.WithTimeout(t.Context(), within)
	t.Cleanup(cancel)
	ended := make(chan error, n)
	for range n {
		go func() {
			_, err := b.Ask(ctx, node, []byte("who?"))
			ended <- err
		}()
	}
	return ended
}

// halt stops a node's process, which may answer a while after the signal was sent.
func halt(t *testing.T, node *child.Process, b broker.Broker, id string) {
	t.Helper()
	if err := node.Pause(); err != nil {
		t.Fatal(err)
	}
	until(t, "the node stands still", func() bool {
		return errors.Is(<-ask(t, b, id, 50*time.Millisecond, 1), context.DeadlineExceeded)
	})
}

// TestQuestionToANodeThatIsKilledEnds: a process that stands still is slow, however
// long; one that is killed before the server knows it is not waited for. What finds
// that out is one call, however many questions wait.
func TestQuestionToANodeThatIsKilledEnds(t *testing.T) {
	s := startServer(t)
	st := newStore(t, redis.Options{Addresses: []string{s.address()}})
	b := st.node("asker", &brokertest.Inbox{})
	dying := st.process("dying", b)
	halt(t, dying, b, "dying")
	said := s.commands("spublish")
	asked := ask(t, b, "dying", 30*time.Second, 50)
	if err := <-ask(t, b, "dying", time.Second, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a question to a node that stands still gives %v", err)
	}
	if n := s.commands("spublish") - said; n < 51 || n > 51+15 { // a few calls, and what a node says to itself
		t.Errorf("51 questions were %d things said", n)
	}
	if len(asked) > 0 {
		t.Fatalf("it was taken for gone: %v", <-asked)
	}
	killed := time.Now()
	dying.Kill()
	for range cap(asked) {
		if err := <-asked; !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("a question to a node that was killed gives %v", err)
		}
	}
	if took := time.Since(killed); took > soon {
		t.Errorf("that took %v", took)
	}
}

// TestQuestionToAnotherLifeEnds: the node that was asked is gone, and the next one
// of its id, which has no lease yet, listens where it did.
func TestQuestionToAnotherLifeEnds(t *testing.T) {
	st := newStore(t, redis.Options{Addresses: []string{startServer(t).address()}})
	b := st.node("asker", &brokertest.Inbox{})
	halt(t, st.process("node", b), b, "node")
	asked, begun := ask(t, b, "node", 30*time.Second, 3), time.Now()
	next := redis.New(st.options)
	ctx, cancel := context.WithCancel(t.Context())
	started := make(chan error)
	go func() { started <- next.Start(ctx, broker.Node{ID: "node"}, &brokertest.Inbox{}) }()
	for range cap(asked) {
		if err := <-asked; !errors.Is(err, broker.ErrUnavailable) {
			t.Errorf("a question to an earlier life gives %v", err)
		}
	}
	if took := time.Since(begun); took > soon {
		t.Errorf("that took %v", took)
	}
	cancel()
	if err := <-started; err == nil {
		t.Error("the node began before the other's lease had ended")
	}
}

// commands counts how often the server was given a command.
func (s *server) commands(name string) int {
	s.t.Helper()
	found := regexp.MustCompile("cmdstat_" + name + `:calls=(\d+)`).FindStringSubmatch(s.do("INFO", "commandstats"))
	if found == nil {
		return 0
	}
	n, _ := strconv.Atoi(found[1])
	return n
}
