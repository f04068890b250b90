package feed_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

// A process is a node with a Runner, as a program has it.
type process struct {
	broker.Sink // of which nothing but what stands below is called
	b           broker.Broker
	faulty      *brokertest.FaultyBroker // the same, if it has faults
	runner      *feed.Runner[*reader]

	mu     sync.Mutex
	crowds map[string]*crowd // of rooms that are open
	t      testing.TB
}

// live tells whether a room's messages are emitted as they come.
func (p *process) live(room string) bool { return p.runner.Live(room) }

func (p *process) State(broker.State, error) {}
func (p *process) NodeUp(broker.NodeState)   {}
func (p *process) NodeDown(broker.NodeState) {}
func (p *process) Deliver(m broker.Message)  { p.runner.Deliver(m) }
func (p *process) Uncertain(s broker.Scope, why error) {
	p.runner.Uncertain(s, why)
}

func startProcess(t *testing.T, c *memory.Cluster, id string, seed uint64, faults brokertest.Faults) *process {
	t.Helper()
	f := brokertest.Faulty(c.Node(), seed, faults)
	p := startOn(t, f, id)
	p.faulty = f
	return p
}

// startOn starts a process on a broker.
func startOn(t *testing.T, b broker.Broker, id string, with ...func(*feed.Options[*reader])) *process {
	t.Helper()
	p := &process{t: t, b: b, crowds: map[string]*crowd{}}
	o := feed.Options[*reader]{Broker: b, Room: p.room, Gone: p.gone, Keep: p.keep}
	for _, change := range with {
		change(&o)
	}
	p.runner = feed.NewRunner(o)
	if err := b.Start(t.Context(), broker.Node{ID: id}, p); err != nil {
		t.Fatal(err)
	}
	return p
}

// publish publishes in a room, and returns where the message stands.
func (p *process) publish(room, data string) broker.Position {
	p.t.Helper()
	ack, err := p.b.Publish(context.Background(), room, []byte(data), broker.PublishOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	return ack.Position
}

func (p *process) room(name string) feed.Room[*reader] {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.crowds[name] != nil {
		p.t.Errorf("room %s is made again before it has gone", name)
	}
	p.crowds[name] = &crowd{t: p.t}
	return p.crowds[name]
}

func (p *process) gone(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.crowds[name]; c == nil || c.count() > 0 {
		p.t.Errorf("room %s is released, and had not been made or has members", name)
	} else {
		c.mu.Lock()
		c.gone = true
		c.mu.Unlock()
	}
	delete(p.crowds, name)
}

func (p *process) keep(name string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowds[name].count() > 0
}

func (p *process) close(t *testing.T) {
	t.Helper()
	if err := p.b.Close(context.Background()); err != nil {
		t.Error(err)
	}
	p.runner.Close()
}

// A crowd is the members of a room. The Runner calls it under the room's lock;
// removal comes from elsewhere, so it has its own.
type crowd struct {
	t testing.TB

	mu      sync.Mutex
	members map[*reader]bool
	gone    bool
}

// enter takes the lock; the end gives it back.
func (c *crowd) enter() (end func()) {
	c.mu.Lock()
	if c.gone {
		c.t.Error("a room is called that has gone")
	}
	return c.mu.Unlock
}

func (c *crowd) add(r *reader) {
	if c.members == nil {
		c.members = map[*reader]bool{}
	}
	c.members[r] = true
}

func (c *crowd) count() int {
	if c == nil {
		return 0
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.members)
}

func (c *crowd) Emit(m broker.Message) {
	defer c.enter()()
	for r := range c.members {
		r.receive(m)
	}
}

func (c *crowd) Attach(r *reader, at broker.Position, replay []broker.Message) {
	defer c.enter()()
	c.add(r)
	r.attach(at)
	for _, m := range replay {
		r.receive(m)
	}
}

func (c *crowd) Restart(r *reader, at broker.Position, why feed.Reason) {
	defer c.enter()()
	c.add(r)
	r.restart(at, why)
	r.answered()
}

func (c *crowd) RestartAll(at broker.Position, why feed.Reason) {
	defer c.enter()()
	for r := range c.members {
		r.restart(at, why)
	}
}

func (c *crowd) Refuse(r *reader, err error) {
	defer c.enter()()
	r.mu.Lock()
	r.refused = err
	r.mu.Unlock()
	r.answered()
}

// A reader is a member that notes what it gets.
type reader struct {
	mu       sync.Mutex
	last     broker.Position
	got      []string
	restarts []feed.Reason
	refused  error
	wrong    string

	joins, cancelled, answers int
}

func (r *reader) attach(at broker.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last.IsZero() {
		r.last = at
	}
	r.answers++
}

// attached says whether every join was answered that was not cancelled.
func (r *reader) attached() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers == r.joins-r.cancelled
}

func (r *reader) answered() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers++
}

func (r *reader) receive(m broker.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !m.Follows(r.last) {
		r.wrong = fmt.Sprintf("%v after %v", m.Position, r.last)
	}
	r.last = m.Position
	r.got = append(r.got, string(m.Data))
}

func (r *reader) restart(at broker.Position, why feed.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = at
	r.restarts = append(r.restarts, why)
}

func (r *reader) position() broker.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// heard returns what the reader got and the reasons of its restarts.
func (r *reader) heard() ([]string, []feed.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got, r.restarts
}

// join brings the reader to p, from where it stands.
func (r *reader) join(t *testing.T, p *process, room string) {
	t.Helper()
	r.mu.Lock()
	r.joins++
	r.mu.Unlock()
	if err := p.runner.Join(room, r, r.position()); err != nil {
		t.Error(err)
	}
}

// leave takes the reader out of the room on p.
func (r *reader) leave(p *process, room string) {
	if p.runner.Leave(room, r) {
		r.mu.Lock()
		r.cancelled++
		r.mu.Unlock()
	}
	r.lag(p, room)
}

// lag takes the reader out of the crowd alone, as one that fell behind.
func (r *reader) lag(p *process, room string) {
	p.mu.Lock()
	c := p.crowds[room]
	p.mu.Unlock()
	if c != nil {
		c.mu.Lock()
		delete(c.members, r)
		c.mu.Unlock()
	}
}
