package finch_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
)

// A stage is a store, managers on faulty nodes of it, and actors. In a bubble
// one goroutine directs it and a seed nearly repeats a run; outside, several.
type stage struct {
	t          testing.TB
	seed       uint64
	bubble     bool
	random     *rand.Rand // of the director
	cluster    *memory.Cluster
	witness    *witness
	nodes      []*playhouse
	faulty     bool // the broker is refused or cut now and then
	staleHeads bool
	running    sync.WaitGroup
	over       chan struct{}

	replayBytes int

	mu     sync.Mutex // guards everything below, and the actors
	actors []*actor
	trace  []string
	failed string
	said   int
	waves  map[string]int
	acked  map[string]bool
	gone   map[string]bool // acknowledged and lost or forgotten by the store
	lives  map[*finch.Session]string

	returning []*actor // of the one who concludes
}

// playhouse is one node.
type playhouse struct {
	name    string
	manager *finch.SocketManager
	faulty  *brokertest.FaultyBroker
	book    *logbook
}

// joined is a memory broker that says that other processes can join it, so
// that managers of one process behave as a cluster.
type joined struct{ broker.Broker }

func (b joined) Caps() broker.Caps {
	caps := b.Broker.Caps()
	caps.Cluster = true
	return caps
}

// rooms of the stage: the name's first part says what they keep.
var stageRooms = []string{"long:1", "short:1", "aged:1", "none:1", "long:2", "given:1", "loose"}

func (w *stage) declare(m *finch.SocketManager) {
	for pattern, o := range map[string]finch.RoomOptions{
		"long:{id}":  {HistorySize: 1000, Presence: true},
		"short:{id}": {HistorySize: 6, HistoryAge: time.Hour},
		"aged:{id}":  {HistorySize: 50, HistoryAge: time.Minute, Presence: true},
		"none:{id}":  {},
		"given:{id}": {HistorySize: 100, Presence: true},
	} {
		o.CanPublish = finch.AnyMember
		if pattern != "given:{id}" {
			o.CanJoin = finch.Anybody
		}
		m.DeclareRooms(pattern, o)
	}
	if w.seed%2 == 0 {
		m.DeclareUsers(finch.RoomOptions{HistorySize: 20})
		m.DeclareEveryone(finch.RoomOptions{HistorySize: 20, HistoryAge: time.Minute})
	}
}

// plan is what a stage is like.
type plan struct {
	seed      uint64
	bubble    bool
	nodes     int
	cluster   bool
	actors    int
	queue     int
	faults    brokertest.Faults
	grace     time.Duration
	ticketAge time.Duration
}

func newStage(t testing.TB, p plan) *stage {
	w := &stage{
		t: t, seed: p.seed, bubble: p.bubble,
		random: rand.New(rand.NewPCG(p.seed, 1)),
		faulty: p.bubble,
		over:   make(chan struct{}),
		waves:  map[string]int{},
		acked:  map[string]bool{},
		gone:   map[string]bool{},
		lives:  map[*finch.Session]string{},

		replayBytes: p.queue / 2,
		staleHeads:  p.faults.StaleHeads > 0,
	}
	bits := rand.New(rand.NewPCG(p.seed, 2))
	var drawing sync.Mutex
	w.cluster = memory.NewCluster(&memory.Options{Random: func() uint64 {
		drawing.Lock()
		defer drawing.Unlock()
		return bits.Uint64()
	}})
	var err error
	if w.witness, err = newWitness(w.cluster); err != nil {
		t.Fatal(err)
	}
	for _, room := range stageRooms {
		w.witness.watch("r:" + room)
	}
	w.witness.watch("e:")
	for i := range 3 {
		w.witness.watch(fmt.Sprint("u:user", i))
	}
	for i := range p.nodes {
		n := &playhouse{name: fmt.Sprint("node", i)}
		n.faulty = brokertest.Faulty(w.cluster.Node(), p.seed<<8+uint64(i), p.faults)
		var b broker.Broker = n.faulty
		if p.cluster {
			b = joined{b}
		}
		logger, book := newLogbook()
		n.book = book
		n.manager = finch.NewSocketManager(&finch.SocketManagerOptions{
			Broker: b, NodeID: n.name, Secret: []byte("a secret of the stage"), Logger: logger,
			Grace: p.grace, TicketAge: p.ticketAge,
			Limits:  finch.Limits{QueueBytes: p.queue, MessagesPerSecond: -1, BytesPerSecond: -1},
			Session: w.follow(),
		})
		w.declare(n.manager)
		w.nodes = append(w.nodes, n)
	}
	for i := range p.actors {
		a := &actor{stage: w, name: fmt.Sprint("actor", i), hello: i%3 != 2,
			places: map[string]*standpoint{}, ever: map[string]bool{}, heard: map[string]int{}, resets: map[string]int{}}
		if i%2 == 0 {
			a.user = fmt.Sprint("user", i/2%3)
		}
		w.actors = append(w.actors, a)
	}
	return w
}

// follow checks the order of a session's callbacks.
func (w *stage) follow() finch.SessionEvent {
	step := func(ses *finch.Session, event string, after ...string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if before := w.lives[ses]; !slices.Contains(after, before) {
			w.fault("the session %s has %s after %q", ses.Name(), event, before)
		}
		w.lives[ses] = event
		w.note("session %s: %s", ses.Name(), event)
	}
	return finch.SessionEvent{
		OnDrop: func(_ context.Context, ses *finch.Session) { step(ses, "drop", "", "resume") },
		OnResume: func(_ context.Context, ses *finch.Session, _ *finch.Socket) {
			step(ses, "resume", "", "drop", "resume")
		},
		OnLeave: func(_ context.Context, ses *finch.Session, _ finch.CloseReason) {
			step(ses, "leave", "", "drop", "resume")
		},
	}
}

// note writes the trace. Called with mu held.
func (w *stage) note(format string, args ...any) {
	w.trace = append(w.trace, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}

// fault notes what must not be; the director fails the test. Called with mu held.
func (w *stage) fault(format string, args ...any) {
	if w.failed == "" {
		w.failed = fmt.Sprintf(format, args...)
		w.note("here")
	}
}

// judge fails the test if anything was wrong so far.
func (w *stage) judge() {
	w.t.Helper()
	w.mu.Lock()
	failed := w.failed
	w.mu.Unlock()
	if failed != "" {
		failed += "\n" + strings.Join(w.trace[max(0, len(w.trace)-*tailing):], "\n")
		for _, n := range w.nodes {
			for _, line := range strings.Split(n.book.String(), "\n") {
				if strings.Contains(line, "level=ERROR") {
					failed += "\n" + n.name + " logs " + line
				}
			}
		}
		w.finish()
		w.t.Fatalf("seed %d: %s", w.seed, failed)
	}
}

// finish ends everything.
func (w *stage) finish() {
	select {
	case <-w.over:
	default:
		close(w.over)
	}
	for _, a := range w.actors {
		a.stall(false)
		a.drop()
		a.bury()
	}
	for _, n := range w.nodes {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		if err := n.manager.Shutdown(ctx); err != nil {
			w.t.Errorf("seed %d: %s: Shutdown: %v", w.seed, n.name, err)
		}
		cancel()
	}
	w.running.Wait()
	w.witness.b.Close(context.Background())
}

// settle waits until nothing moves, where that can be known.
func (w *stage) settle() {
	if w.bubble {
		synctest.Wait()
	}
}

// act does one thing at random.
func (w *stage) act(r *rand.Rand, a *actor) {
	n := w.nodes[r.IntN(len(w.nodes))]
	room := stageRooms[r.IntN(len(stageRooms))]
	w.mu.Lock()
	away := a.link == nil
	w.mu.Unlock()
	if away && r.IntN(3) == 0 {
		a.connect(n)
		return
	}
	a.insist()
	pad := 0
	if r.IntN(4) == 0 {
		pad = r.IntN(3000)
	}
	switch op := r.IntN(100); {
	case op < 14:
		a.join(room)
	case op < 18:
		a.leave(room)
	case op < 36:
		for range 1 + r.IntN(3) {
			a.publish(room, r.IntN(2) == 0, r.IntN(3) > 0, pad)
		}
	case op < 50:
		w.publish(n, room, a, r, pad)
	case op < 60:
		w.send(n, room, a, r)
	case op < 66:
		a.drop()
	case op < 69: // the old connection does not know that it is dead
		if !away {
			a.connect(n)
		}
	case op < 72:
		a.bury()
	case op < 77:
		a.stall(true)
	case op < 84:
		a.stall(false)
	case op < 86:
		if a.hello && !away {
			w.mu.Lock()
			l, greeted := a.link, a.greeted
			for _, s := range a.places { // one at a time, or each is answered from where it was asked
				greeted = greeted && !s.awaited && !s.joining
			}
			w.mu.Unlock()
			if greeted {
				a.sayHello(l)
			}
		}
	case op < 89:
		w.grant(a, room, r.IntN(3) > 0)
	default:
		w.strike(r, n, room)
	}
}

// publish publishes by the server, again and again with the same key until the
// outcome is known, or it gives up.
func (w *stage) publish(n *playhouse, room string, a *actor, r *rand.Rand, pad int) {
	w.mu.Lock()
	w.said++
	said := saying{ID: fmt.Sprint("server-", w.said), Pad: strings.Repeat("y", pad)}
	opts := []finch.SendOption{finch.WithKey(said.ID)}
	if r.IntN(4) == 0 {
		if s := n.manager.Socket(a.client); s != nil && a.node == n && (!a.hello || a.greeted) {
			said.Skip = a.session()
			opts = append(opts, finch.Except(s))
		}
	}
	w.note("%s publishes %s in %s", n.name, said.ID, room)
	w.mu.Unlock()
	to := n.manager.Room(room)
	switch r.IntN(12) {
	case 0:
		to = n.manager.Everyone()
	case 1:
		to = n.manager.User("user" + fmt.Sprint(r.IntN(3)))
	}
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		at, err := to.Publish(ctx, "say", said, opts...)
		cancel()
		if err == nil {
			w.mu.Lock()
			w.acked[said.ID] = true
			if m := w.witness.of(at); m == nil || m.ID != said.ID {
				w.fault("the server published %s and is told %v, where %v stands", said.ID, at, m)
			}
			w.mu.Unlock()
			return
		}
		if !errors.Is(err, finch.ErrUnavailable) && !errors.Is(err, finch.ErrUnknownOutcome) && ctx.Err() == nil {
			w.mu.Lock()
			w.fault("the server publishes %s: %v", said.ID, err)
			w.mu.Unlock()
		}
	}
}

// send sends by the server. Whoever is surely there has to hear it.
func (w *stage) send(n *playhouse, room string, a *actor, r *rand.Rand) {
	to, name := n.manager.Room(room), "/"+room
	if r.IntN(6) == 0 {
		to, name = n.manager.Everyone(), "everyone"
	}
	w.mu.Lock()
	from := n.name + name + " for " + a.name // each actor has one director, who counts
	w.waves[from]++
	said := saying{ID: "wave of " + from, From: from, N: w.waves[from]}
	var opts []finch.SendOption
	if r.IntN(4) == 0 && a.node == n && (!a.hello || a.greeted) {
		if s := n.manager.Socket(a.client); s != nil {
			said.Skip = a.session()
			opts = append(opts, finch.Except(s))
		}
	}
	w.mu.Unlock()
	if w.bubble {
		synctest.Wait()
	}
	w.mu.Lock()
	var sure []*actor
	for _, b := range w.actors {
		if s := b.places[name]; w.bubble && b.link != nil && !b.stalled() && b.node == n && (!b.hello || b.greeted) && said.Skip != b.session() &&
			(name == "everyone" || s != nil && !s.joining && !s.leaving && !s.awaited) && !b.slow {
			sure = append(sure, b)
		}
	}
	w.mu.Unlock()
	err := to.Send("wave", said, opts...)
	if err != nil && !errors.Is(err, finch.ErrUnavailable) {
		w.mu.Lock()
		w.fault("the server sends: %v", err)
		w.mu.Unlock()
	}
	w.settle()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range sure {
		if b.heard[from] != said.N && b.link != nil {
			b.fail("was there and did not hear %s", said)
		}
	}
}

// grant joins an actor's socket to a room by the server, or takes it out.
func (w *stage) grant(a *actor, room string, in bool) {
	w.settle()
	w.mu.Lock()
	if a.link == nil || a.hello && !a.greeted || a.client == "" || !a.hello {
		w.mu.Unlock()
		return
	}
	s := a.node.manager.Socket(a.client)
	a.ever[room] = true
	w.note("the server takes %s in or out of %s: %v", a.name, room, in)
	w.mu.Unlock()
	if s == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if in {
		s.Join(ctx, room)
	} else {
		s.Leave(ctx, room)
	}
}

// strike lets something go wrong, or time go by.
func (w *stage) strike(r *rand.Rand, n *playhouse, room string) {
	w.mu.Lock()
	w.note("strike")
	w.mu.Unlock()
	if !w.bubble {
		n.faulty.Flush()
		return
	}
	switch op := r.IntN(24); {
	case op < 7:
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
	case op < 12:
		time.Sleep(time.Duration(r.IntN(20_000)) * time.Millisecond)
	case op < 13:
		time.Sleep(time.Duration(r.IntN(90)) * time.Minute)
	case op < 15:
		synctest.Wait()
	case op < 17:
		n.faulty.Cut()
	case op < 20:
		n.faulty.Mend()
	case op < 22:
		n.faulty.Flush()
	case op < 23:
		w.lose(room, 1+r.IntN(3))
	default:
		w.close(n, room)
	}
}

// lose makes the store lose what it acknowledged.
func (w *stage) lose(room string, n int) {
	for _, n := range w.nodes { // what it loses does not come afterwards
		n.faulty.Flush()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.note("the store loses %d of %s", w.cluster.LoseTail("r:"+room, n), room)
	w.witness.watch("r:" + room)
}

// close closes a room: who is in it is taken out.
func (w *stage) close(n *playhouse, room string) {
	synctest.Wait()
	w.mu.Lock()
	w.note("%s closes %s", n.name, room)
	w.mu.Unlock()
	if err := n.manager.Room(room).Close(context.Background()); err != nil && !errors.Is(err, finch.ErrUnavailable) {
		w.mu.Lock()
		w.fault("%s cannot close %s: %v", n.name, room, err)
		w.mu.Unlock()
	}
	w.witness.watch("r:" + room)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, a := range w.actors { // they are not told
		if s := a.places["/"+room]; s != nil && !s.joining && !s.awaited && a.link != nil && !a.hello && !slices.Contains(w.inRooms(a), room) {
			s.leaving = true // what was sent before still comes
		}
	}
}

// inRooms answers where the server says that an actor is.
func (w *stage) inRooms(a *actor) []string {
	if s := a.node.manager.Socket(a.client); s != nil {
		return s.Rooms()
	}
	return nil
}
