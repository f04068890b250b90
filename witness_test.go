package finch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
)

// A witness is a node of the store that sees every recorded message in its
// order, before any other node does: it knows what comes after what.
type witness struct {
	broker.Sink
	b *memory.Broker

	mu       sync.Mutex // guards everything below; nothing else is taken under it
	messages map[broker.Position]*testimony
	last     map[string]broker.Position // by the store's name of a room
	times    map[string]int             // how often something was recorded, by its id
}

// testimony is what a witness knows of a recorded message.
type testimony struct {
	room   string
	before broker.Position
	saying
}

// saying is what the actors and their server say.
type saying struct {
	ID   string `json:"id"`
	Skip string `json:"skip,omitempty"` // the session that is left out
	From string `json:"from,omitempty"` // of what is sent: who counts
	N    int    `json:"n,omitempty"`
	Pad  string `json:"pad,omitempty"`
}

func newWitness(cluster *memory.Cluster) (*witness, error) {
	v := &witness{b: cluster.Node(), messages: map[broker.Position]*testimony{}, last: map[string]broker.Position{}, times: map[string]int{}}
	return v, v.b.Start(context.Background(), broker.Node{ID: "witness"}, v)
}

func (v *witness) State(broker.State, error)     {}
func (v *witness) NodeUp(broker.NodeState)       {}
func (v *witness) NodeDown(broker.NodeState)     {}
func (v *witness) Uncertain(broker.Scope, error) {}
func (v *witness) Receive(broker.Sent)           {}

func (v *witness) Deliver(m broker.Message) {
	said := sayingOf(m.Data)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.messages[m.Position] = &testimony{m.Room, v.last[m.Room], said}
	v.last[m.Room] = m.Position
	v.times[said.ID]++
}

// sayingOf reads a record's data, which is JSON at its end.
func sayingOf(record []byte) (said saying) {
	if i := bytes.IndexByte(record, '{'); i >= 0 {
		json.Unmarshal(record[i:], &said)
	}
	return said
}

// watch makes the witness see a room, from where it stands now.
func (v *witness) watch(room string) {
	heads, err := v.b.Open(context.Background(), []string{room})
	if err != nil {
		panic(err)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last[room] = heads[0].Position
}

func (v *witness) of(p broker.Position) *testimony {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.messages[p]
}

func (v *witness) head(room string) broker.Position {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.last[room]
}

func (v *witness) recorded(id string) int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.times[id]
}

// canFollow says whether the store, asked now, proves what came after p, and
// how much that is.
func (v *witness) canFollow(room string, p broker.Position) (messages, bytes int, ok bool) {
	page, err := v.b.Read(context.Background(), room, broker.Range{From: p})
	if err != nil {
		return 0, 0, false
	}
	list, err := page.Follow(p, 0)
	for _, m := range list {
		bytes += len(m.Data)
	}
	return len(list), bytes, err == nil
}

// skips walks back from p over what leaves a session out, as far as to.
func (v *witness) skips(p, to broker.Position, session string) broker.Position {
	for emptied(p) != emptied(to) {
		m := v.of(p)
		if m == nil || m.Skip != session {
			break
		}
		p = m.before
	}
	return p
}

// emptied makes all positions of an empty room of one epoch equal.
func emptied(p broker.Position) broker.Position {
	if p.Tag == 0 {
		p.Offset = 0
	}
	return p
}

func (s saying) String() string { return fmt.Sprintf("%s(%d)", s.ID, s.N) }

// Answer refuses: a witness is no node of Finch.
func (v *witness) Answer(context.Context, string, []byte) ([]byte, error) {
	return nil, errors.New("nobody answers here")
}
