package feed_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

// A process is a node with a Runner, as a program has it.
type process struct {
	broker.Sink // of which nothing but what stands below is called
	faulty      *brokertest.FaultyBroker
	runner      *feed.Runner[*reader]
}

func (p *process) State(broker.State, error) {}
func (p *process) NodeUp(broker.NodeState)   {}
func (p *process) NodeDown(broker.NodeState) {}
func (p *process) Deliver(m broker.Message)  { p.runner.Deliver(m) }
func (p *process) Uncertain(s broker.Scope, why error) {
	p.runner.Uncertain(s, why)
}

func startProcess(t *testing.T, c *memory.Cluster, id string, seed uint64, faults brokertest.Faults) *process {
	t.Helper()
	p := &process{faulty: brokertest.Faulty(c.Node(), seed, faults)}
	p.runner = feed.NewRunner(feed.Options[*reader]{
		Broker: p.faulty,
		Room:   func(string) feed.Room[*reader] { return &crowd{} },
	})
	if err := p.faulty.Start(t.Context(), broker.Node{ID: id}, p); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *process) close(t *testing.T) {
	t.Helper()
	if err := p.faulty.Close(context.Background()); err != nil {
		t.Error(err)
	}
	p.runner.Close()
}

// A crowd is the members of a room. The Runner calls it under the room's lock;
// removal comes from elsewhere, so it has its own.
type crowd struct {
	mu      sync.Mutex
	members map[*reader]bool
}

func (c *crowd) add(r *reader) {
	if c.members == nil {
		c.members = map[*reader]bool{}
	}
	c.members[r] = true
	r.crowd = c
}

func (c *crowd) Emit(m broker.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.members {
		r.receive(m)
	}
}

func (c *crowd) Attach(r *reader, at broker.Position, replay []broker.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(r)
	r.mu.Lock()
	if r.last.IsZero() {
		r.last = at
	}
	r.mu.Unlock()
	for _, m := range replay {
		r.receive(m)
	}
}

func (c *crowd) Restart(r *reader, at broker.Position, why feed.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(r)
	r.restart(at, why)
}

func (c *crowd) RestartAll(at broker.Position, why feed.Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for r := range c.members {
		r.restart(at, why)
	}
}

func (c *crowd) Refuse(r *reader, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = err
}

// A reader is a member that notes what it gets.
type reader struct {
	crowd *crowd // that has it; guarded by the crowd's lock

	mu       sync.Mutex
	last     broker.Position
	got      []string
	restarts []feed.Reason
	refused  error
	wrong    string
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
	if err := p.runner.Join(room, r, r.position()); err != nil {
		t.Error(err)
	}
}

// leave takes the reader out of the room on p.
func (r *reader) leave(p *process, room string) {
	p.runner.Leave(room, r)
	r.mu.Lock()
	c := r.crowd
	r.mu.Unlock()
	if c != nil {
		c.mu.Lock()
		delete(c.members, r)
		c.mu.Unlock()
	}
}

func TestReadersHopBetweenNodesAndMissNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewCluster(nil)
		faults := brokertest.Faults{Drop: 0.1, Repeat: 0.1, Hold: 0.2, Unknown: 0.1, Refuse: 0.05, Stale: 0.1, StaleHeads: 0.1}
		var nodes []*process
		for i := range 3 {
			nodes = append(nodes, startProcess(t, c, fmt.Sprint("n", i), uint64(i), faults))
		}
		ctx, stop := context.WithCancel(t.Context())
		var publishers, readers sync.WaitGroup
		for p := range 3 {
			publishers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(p), 7))
				for i := 0; ctx.Err() == nil; i++ {
					room, key := fmt.Sprint("r", i%4), fmt.Sprint(p, "-", i)
					for ctx.Err() == nil {
						_, err := nodes[r.IntN(3)].faulty.Publish(context.Background(), room, []byte(key), broker.PublishOptions{Key: key})
						if err == nil {
							break
						}
						time.Sleep(10 * time.Millisecond)
					}
					time.Sleep(time.Duration(r.IntN(1000)) * time.Millisecond)
				}
			})
		}
		all := make([]*reader, 16)
		for i := range all {
			me := &reader{}
			all[i] = me
			readers.Go(func() {
				r := rand.New(rand.NewPCG(uint64(i), 8))
				room := fmt.Sprint("r", i%4)
				for {
					at := nodes[r.IntN(3)]
					me.join(t, at, room)
					select {
					case <-ctx.Done():
						return // it stays
					case <-time.After(time.Duration(500+r.IntN(4000)) * time.Millisecond):
					}
					me.leave(at, room)
					time.Sleep(time.Duration(r.IntN(1500)) * time.Millisecond)
				}
			})
		}
		for i := range 20 {
			time.Sleep(6 * time.Second)
			n := nodes[i%3]
			n.faulty.Cut()
			time.Sleep(2 * time.Second)
			n.faulty.Mend()
		}
		stop()
		publishers.Wait()
		readers.Wait()
		for _, n := range nodes {
			n.faulty.SetFaults(brokertest.Faults{})
			n.faulty.Flush()
		}
		time.Sleep(2 * time.Minute) // checks
		total := 0
		for i, r := range all {
			head, _, err := nodes[0].faulty.Heads(t.Context(), []string{fmt.Sprint("r", i%4)}, "")
			if err != nil {
				t.Fatal(err)
			}
			if r.wrong != "" || r.refused != nil {
				t.Errorf("reader %d: %s, %v", i, r.wrong, r.refused)
			}
			if p := r.position(); p != head[0].Position {
				t.Errorf("reader %d stands at %v, the room at %v", i, p, head[0].Position)
			}
			for _, why := range r.restarts {
				if why != feed.Unavailable {
					t.Errorf("reader %d was restarted: %s", i, why)
				}
			}
			total += len(r.got)
		}
		if total < 500 {
			t.Errorf("only %d messages were received", total)
		}
		for _, n := range nodes {
			n.close(t)
		}
	})
}

func TestRoomIsReleasedWhenItWasLeftLongEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewCluster(nil)
		p := startProcess(t, c, "n", 1, brokertest.Faults{})
		defer p.close(t)
		a, b := &reader{}, &reader{}
		a.join(t, p, "r")
		synctest.Wait()
		a.leave(p, "r")
		time.Sleep(19 * time.Second)
		if p.runner.Rooms() != 1 {
			t.Fatal("the room did not linger")
		}
		time.Sleep(10 * time.Second)
		if p.runner.Rooms() != 0 || c.Stats().Rooms != 0 {
			t.Errorf("%d rooms are open, %d on the store", p.runner.Rooms(), c.Stats().Rooms)
		}
		b.last = a.position()
		b.join(t, p, "r")
		synctest.Wait()
		if _, err := p.faulty.Publish(t.Context(), "r", []byte("1"), broker.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, restarts := b.heard(); len(got) != 1 || len(restarts) != 0 {
			t.Errorf("after it was opened again a reader got %q, restarts %q", got, restarts)
		}
	})
}

func TestLostLastMessageOfAQuietRoomIsFoundByTheCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		r := &reader{}
		r.join(t, p, "r")
		synctest.Wait()
		p.faulty.SetFaults(brokertest.Faults{Drop: 1})
		if _, err := p.faulty.Publish(t.Context(), "r", []byte("1"), broker.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(29 * time.Second)
		if got, _ := r.heard(); len(got) != 0 {
			t.Fatal("a lost message was received")
		}
		time.Sleep(2 * time.Second)
		if got, _ := r.heard(); len(got) != 1 {
			t.Error("a lost message was not found after 30 seconds")
		}
	})
}

func TestJoinWaitsWhileTheBrokerIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		p.faulty.Cut()
		r, gone := &reader{}, &reader{}
		r.join(t, p, "r")
		gone.join(t, p, "r")
		time.Sleep(time.Minute)
		p.runner.Leave("r", gone)
		if !r.position().IsZero() {
			t.Fatal("a reader was attached without the broker")
		}
		p.faulty.Mend()
		time.Sleep(6 * time.Second)
		if r.position().IsZero() || !gone.position().IsZero() {
			t.Errorf("after it came back one stands at %v, the one that left at %v", r.position(), gone.position())
		}
	})
}

func TestNameThatNoRoomHasIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		r := &reader{}
		for _, room := range []string{"", strings.Repeat("r", broker.MaxRoom+1)} {
			if err := p.runner.Join(room, r, broker.Position{}); !errors.Is(err, broker.ErrBadRoom) {
				t.Errorf("a name of %d bytes gives %v", len(room), err)
			}
		}
		r.join(t, p, strings.Repeat("r", broker.MaxRoom))
		synctest.Wait()
		if r.position().IsZero() {
			t.Error("the longest name is not opened")
		}
	})
}

func TestClosedBrokerRefusesAndTheRoomIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		if err := p.faulty.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		r := &reader{}
		r.join(t, p, "r")
		synctest.Wait()
		r.mu.Lock()
		if !errors.Is(r.refused, broker.ErrClosed) {
			t.Errorf("refused with %v", r.refused)
		}
		r.mu.Unlock()
		time.Sleep(time.Minute)
		if n := p.runner.Rooms(); n != 0 {
			t.Errorf("%d rooms are open", n)
		}
		p.runner.Close()
	})
}

// quietFeed is what the feed of a quiet room may cost beyond its name.
const quietFeed = 300

func TestQuietFeedIsCheap(t *testing.T) {
	const n = 50_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("room-%07d", i)
	}
	b := memory.New(nil)
	p := &process{}
	one := &crowd{}
	p.runner = feed.NewRunner(feed.Options[*reader]{Broker: b, Room: func(string) feed.Room[*reader] { return one }})
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, p); err != nil {
		t.Fatal(err)
	}
	defer p.runner.Close()
	if _, err := b.Open(t.Context(), names); err != nil { // what the store costs is not counted here
		t.Fatal(err)
	}
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	r := &reader{}
	before := heap()
	for _, name := range names {
		if err := p.runner.Join(name, r, broker.Position{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		for p.runner.Top(name).IsZero() {
			runtime.Gosched()
		}
	}
	each := int(heap()-before) / n
	t.Logf("%d bytes beyond the name", each)
	if each > quietFeed {
		t.Errorf("the feed of a quiet room costs %d bytes, more than %d", each, quietFeed)
	}
}
