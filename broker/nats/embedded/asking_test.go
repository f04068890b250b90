//go:build unix

package embedded_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	"github.com/finch-go/finch/internal/child"
)

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

// known waits until a node answers.
func known(t *testing.T, b broker.Broker, node string) {
	t.Helper()
	servers.Eventually(t, "an answer of the node", func() bool {
		answer, err := b.Ask(t.Context(), node, []byte("who?"))
		return err == nil && string(answer) == node
	})
}

// halt stops a node's process, which may answer a while after the signal was sent.
func halt(t *testing.T, p *child.Process, b broker.Broker, node string) {
	t.Helper()
	if err := p.Pause(); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, "the node to stand still", func() bool {
		return errors.Is(<-ask(t, b, node, 50*time.Millisecond, 1), context.DeadlineExceeded)
	})
}

// TestQuestionToANodeThatIsKilledEnds: a process that stands still is slow, however
// long; one that is killed before its server knows it is not waited for.
func TestQuestionToANodeThatIsKilledEnds(t *testing.T) {
	t.Parallel() // it waits most of its time
	c := servers.NewCluster(t, 1, nil)
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, b, "asker")
	dying := servers.NewNodeProcess(t, "dying", c.URL(0))
	known(t, b, "dying")
	halt(t, dying, b, "dying")
	asked := ask(t, b, "dying", servers.Patience, 20)
	if err := <-ask(t, b, "dying", time.Second, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a question to a node that stands still gives %v", err)
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
	t.Parallel() // it waits most of its time
	c := servers.NewCluster(t, 1, nil)
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, b, "asker")
	dying := servers.NewNodeProcess(t, "node", c.URL(0))
	known(t, b, "node")
	halt(t, dying, b, "node")
	asked, begun := ask(t, b, "node", servers.Patience, 3), time.Now()
	next := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
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

// TestQuestionsCallTheirNodeTogether: what finds out that a node is there costs it
// one call, however many questions wait.
func TestQuestionsCallTheirNodeTogether(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	b := nats.New(nats.Options{URL: c.URL(0), Logger: servers.Quiet})
	servers.Start(t, b, "asker")
	var questions, calls atomic.Int64
	p := servers.NewProxy(t, c.URL(0))
	p.Losing(func(subject, header, _ string) bool {
		switch {
		case subject != "finch.a.slow":
		case strings.Contains(header, "Finch-Call"):
			calls.Add(1)
		default:
			questions.Add(1)
		}
		return false
	})
	release := make(chan struct{})
	answer := sync.OnceFunc(func() { close(release) })
	in := &brokertest.Inbox{AnswerFunc: func(context.Context, string, []byte) ([]byte, error) { <-release; return nil, nil }}
	slow := nats.New(nats.Options{URL: p.URL(), Logger: servers.Quiet})
	if err := slow.Start(t.Context(), broker.Node{ID: "slow"}, in); err != nil {
		t.Fatal(err)
	}
	defer servers.CloseNode(t, slow)
	defer answer()
	servers.Eventually(t, "news of the node", func() bool { return len(b.Nodes()) == 2 })
	asked := ask(t, b, "slow", servers.Patience, 50)
	servers.Eventually(t, "the calls", func() bool { return calls.Load() >= 2 })
	answer()
	for range cap(asked) {
		if err := <-asked; err != nil {
			t.Error(err)
		}
	}
	if q, n := questions.Load(), calls.Load(); q != 50 || n > 5 {
		t.Errorf("%d questions were asked with %d calls", q, n)
	}
}
