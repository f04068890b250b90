package servers

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/internal/child"
)

// A nodeSpec is what a node in a process of its own is told.
type nodeSpec struct{ ID, URL string }

// playNode is a node that answers with its id, until standard input ends.
func playNode(spec nodeSpec) int {
	in := &brokertest.Inbox{AnswerFunc: func(context.Context, string, []byte) ([]byte, error) { return []byte(spec.ID), nil }}
	b := nats.New(nats.Options{URL: spec.URL, Logger: Quiet})
	if err := b.Start(context.Background(), broker.Node{ID: spec.ID}, in); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	fmt.Println(serves)
	awaitEnd()
	return 0
}

// NewNodeProcess starts a node in a process of its own, which ends with the test.
func NewNodeProcess(t testing.TB, id, url string) *child.Process {
	t.Helper()
	p, err := play("node "+id, playerSpec{Node: &nodeSpec{id, url}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}
