package stage

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/finch-go/finch/bench/cluster/internal/node"
	"github.com/finch-go/finch/internal/child"
)

// A Node is an app node that runs.
type Node struct {
	*Process
	Addr string // host:port
}

// StartNode starts this program as a node.
func StartNode(o node.Options) (*Node, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, err := child.Start(child.Options{Name: o.ID, Program: program, Args: o.Args(), Ready: "listening on "})
	if err != nil {
		return nil, err
	}
	return &Node{p, p.Ready()}, nil
}

// Ask has the node publish a load, at open, closed, fill or insist. It returns when
// that is over, or with the error of ctx.
func (n *Node) Ask(ctx context.Context, how string, l node.Load) (result node.Result, err error) {
	body, err := get(ctx, fmt.Sprintf("http://%s/%s?%s", n.Addr, how, l.Query()))
	if err != nil {
		return result, fmt.Errorf("%s: %w", n.Name, err)
	}
	return result, json.Unmarshal(body, &result)
}

// Settle has it give back the memory that it does not need.
func (n *Node) Settle(ctx context.Context) error {
	_, err := get(ctx, "http://"+n.Addr+"/settle")
	return err
}

// Profile reads a profile of the node, such as "profile?seconds=4".
func (n *Node) Profile(ctx context.Context, name string) ([]byte, error) {
	return get(ctx, "http://"+n.Addr+"/debug/pprof/"+name)
}

func get(ctx context.Context, url string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, body)
	}
	return body, err
}
