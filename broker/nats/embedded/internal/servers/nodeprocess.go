package servers

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
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
	awaitEnd()
	return 0
}

// A NodeProcess is a node that can be killed.
type NodeProcess struct{ run *exec.Cmd }

// NewNodeProcess starts a node in a process of its own, which ends with the test.
// It lives a little later.
func NewNodeProcess(t testing.TB, id, url string) *NodeProcess {
	t.Helper()
	spec, _ := json.Marshal(playerSpec{Node: &nodeSpec{id, url}})
	p := &NodeProcess{play(t, spec)}
	t.Cleanup(p.Kill)
	return p
}

// Signal sends a signal.
func (p *NodeProcess) Signal(s os.Signal) { p.run.Process.Signal(s) }

// Kill ends the node without a word.
func (p *NodeProcess) Kill() {
	if p.run != nil {
		p.run.Process.Kill()
		p.run.Wait()
		p.run = nil
	}
}
