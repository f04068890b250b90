package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// Counts is what "counts" carries: how many are here now.
type Counts struct {
	Clients int `json:"clients"`
	Users   int `json:"users"`
}

// Connected is what "connected" tells a newcomer.
type Connected struct {
	Client string `json:"client"` // the socket's id
	User   string `json:"user"`   // empty: nobody in particular
	Counts
}

// everybody is the room into which the server puts all who are somebody: with
// several nodes its presence says how many users there are.
const everybody = "everybody"

// roll counts who is here, on all nodes, and tells this node's pages when that
// changes. Others tell theirs.
type roll struct {
	house   *house
	sockets *finch.SocketManager
	pulse   pulse
	ctx     context.Context // ends with the demo
	stop    context.CancelFunc
	calls   sync.WaitGroup

	mu   sync.Mutex // guards last
	last Counts
}

// rollEvery is how often a node looks whether others have come or gone elsewhere;
// rollWithin is how long it may take.
const (
	rollEvery  = time.Second
	rollWithin = time.Second
)

func newRoll(h *house) *roll {
	r := &roll{house: h}
	r.ctx, r.stop = context.WithCancel(context.Background())
	h.changed = func() { r.pulse.soon(func() { r.tellNode(); r.tell(true) }) }
	return r
}

// call begins to call the roll of a manager.
func (r *roll) call(m *finch.SocketManager) {
	r.sockets = m
	if !r.house.many() {
		return
	}
	m.DeclareRooms(everybody, finch.RoomOptions{Presence: true})
	r.calls.Go(func() {
		tick := time.NewTicker(rollEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				r.tell(false)
			case <-r.ctx.Done():
				return
			}
		}
	})
}

// now counts. While the broker is away only this node's are known.
func (r *roll) now(ctx context.Context) Counts {
	here := Counts{Clients: r.sockets.CountClients(), Users: r.sockets.CountUsers()}
	if !r.house.many() || r.house.down.Load() {
		return here
	}
	ctx, cancel := context.WithTimeout(ctx, rollWithin)
	defer cancel()
	all := Counts{}
	var err error
	if all.Clients, err = r.sockets.Everyone().Count(ctx); err != nil {
		return here
	}
	for _, err := range r.sockets.Room(everybody).Members(ctx) {
		if err != nil {
			return here
		}
		all.Users++
	}
	return all
}

// arrived greets a newcomer.
func (r *roll) arrived(ctx context.Context, s *finch.Socket, now Counts) error {
	if err := s.Send("connected", Connected{Client: s.ID(), User: s.User(), Counts: now}); err != nil {
		return err
	}
	r.changed()
	if !r.house.many() {
		return nil
	}
	if err := s.Send("node", r.house.now()); err != nil {
		return err
	}
	return r.enrol(ctx, s)
}

// enrol puts somebody into the room of everybody. Without a broker that has to
// wait until it is back.
func (r *roll) enrol(ctx context.Context, s *finch.Socket) error {
	if s.User() == "" || r.house.down.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rollWithin)
	defer cancel()
	if err := s.Join(ctx, everybody); err != nil && !errors.Is(err, finch.ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("demo: %s is not on the roll: %w", s.User(), err)
	}
	return nil
}

// changed is told of everyone who comes or goes.
func (r *roll) changed() { r.pulse.soon(func() { r.tell(true) }) }

// tell tells the counts, always or if they are others than before.
func (r *roll) tell(always bool) {
	if r.ctx.Err() != nil {
		return
	}
	if !r.house.many() {
		r.sockets.SendToAll("counts", r.now(r.ctx))
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now(r.ctx)
	if always || now != r.last {
		sendHere(r.sockets, "counts", now)
	}
	r.last = now
}

// tellNode tells the pages how it stands with the nodes, and enrols who came
// while the broker was away.
func (r *roll) tellNode() {
	if !r.house.many() || r.ctx.Err() != nil {
		return
	}
	sendHere(r.sockets, "node", r.house.now())
	if r.house.down.Load() {
		return
	}
	for s := range r.sockets.Sockets() {
		r.enrol(r.ctx, s)
	}
}

func (r *roll) shutdown(context.Context) error {
	r.stop()
	r.calls.Wait()
	return nil
}

// pulse makes one call of many. Ten thousand sockets that close at once would
// otherwise have the remaining told ten thousand times.
type pulse struct {
	mu      sync.Mutex
	waiting bool
}

const pulseEvery = 100 * time.Millisecond

// soon calls f once within pulseEvery, on a goroutine of its own, however
// often it is asked meanwhile.
func (p *pulse) soon(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.waiting {
		return
	}
	p.waiting = true
	time.AfterFunc(pulseEvery, func() {
		p.mu.Lock()
		p.waiting = false // before f looks: what changes from here on is told by the next
		p.mu.Unlock()
		f()
	})
}
