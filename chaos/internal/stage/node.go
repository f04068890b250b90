package stage

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/internal/child"
)

// A Node is a place where an app listens, always at the same address. Address and
// Up may be called by any goroutine, the rest by one at a time.
type Node struct {
	Index  int
	config server.Node

	mu      sync.Mutex
	process *Process
	lives   int
}

// NewNode finds an address for a node.
func NewNode(index int, config server.Node) (*Node, error) {
	ports, err := child.FreePorts(1)
	if err != nil {
		return nil, err
	}
	config.Listen = fmt.Sprintf("127.0.0.1:%d", ports[0])
	return &Node{Index: index, config: config}, nil
}

// Address is host:port of the node, whether it is up or not.
func (n *Node) Address() string { return n.config.Listen }

// Start starts it, under a new name or the same as before.
func (n *Node) Start(sameName bool) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	n.mu.Lock()
	if n.lives++; n.config.ID == "" || !sameName {
		n.config.ID = fmt.Sprintf("node%d-%d", n.Index, n.lives)
	}
	n.mu.Unlock()
	p, err := child.Start(child.Options{Name: n.config.ID, Program: program, Args: n.config.Args(), Env: []string{"GOMAXPROCS=2"}, Ready: "listening on "})
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.process = p
	return nil
}

// Process is the life that it has now, or had last.
func (n *Node) Process() *Process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.process
}

// Lives is how often it was started.
func (n *Node) Lives() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.lives
}

var asking = http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Held asks the node what it holds. With settle it gives memory back first.
func (n *Node) Held(settle, stacks bool, rooms ...string) (h server.Held, err error) {
	q := url.Values{"rooms": {strings.Join(rooms, ",")}}
	if settle {
		q.Set("settle", "1")
	}
	if stacks {
		q.Set("stacks", "1")
	}
	answer, err := asking.Get("http://" + n.config.Listen + "/held?" + q.Encode())
	if err != nil {
		return h, err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return h, err
	case answer.StatusCode != http.StatusOK:
		return h, fmt.Errorf("node %d: %s: %s", n.Index, answer.Status, b)
	}
	return h, json.Unmarshal(b, &h)
}
