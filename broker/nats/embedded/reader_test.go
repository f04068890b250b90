package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	"github.com/finch-go/finch/internal/feed"
)

// A reader is a node that follows rooms as Finch does: a feed for each, and a
// check of all heads now and then. It keeps what it was shown.
type reader struct {
	broker.Sink // nil: nobody asks
	b           broker.Broker
	every       time.Duration // between checks

	life context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu       sync.Mutex
	seats    map[string]*seat
	restarts []string
	drop     float64 // chance that a delivery is lost
	dropped  int
}

// A seat is a room of a reader, with one member.
type seat struct {
	r     *reader
	name  string
	feed  *feed.Feed[int]
	in    chan struct{} // closed when the member is in
	shown []broker.Message
}

var limits = feed.Limits{}.WithDefaults()

func newReader(t testing.TB, b broker.Broker, id string, profiles ...broker.Profile) *reader {
	t.Helper()
	r := &reader{b: b, every: time.Second, seats: map[string]*seat{}}
	r.life, r.end = context.WithCancel(context.Background())
	ctx, cancel := context.WithTimeout(t.Context(), servers.Patience)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: id, Profiles: profiles}, r); err != nil {
		t.Fatal(err)
	}
	r.wg.Go(r.check)
	t.Cleanup(func() {
		r.end()
		r.wg.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), servers.Patience)
		defer cancel()
		b.Close(ctx)
	})
	return r
}

// join opens rooms and waits until their members are in.
func (r *reader) join(t testing.TB, rooms ...string) {
	t.Helper()
	for _, name := range rooms {
		s := &seat{r: r, name: name, in: make(chan struct{})}
		r.mu.Lock()
		r.seats[name] = s
		s.feed = feed.New(s, &limits, time.Now())
		s.feed.Join(time.Now(), 1, broker.Position{})
		r.serve(s)
		r.mu.Unlock()
	}
	for _, name := range rooms {
		r.mu.Lock()
		in := r.seats[name].in
		r.mu.Unlock()
		select {
		case <-in:
		case <-time.After(servers.Patience):
			t.Fatalf("room %s was not opened within %v", name, servers.Patience)
		}
	}
}

// shown lists the data of what was shown in a room.
func (r *reader) shown(room string) (data []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range r.seats[room].shown {
		data = append(data, string(m.Data))
	}
	return data
}

func (s *seat) Emit(m broker.Message) { s.shown = append(s.shown, m) }
func (s *seat) Attach(_ int, _ broker.Position, replay []broker.Message) {
	s.shown = append(s.shown, replay...)
	close(s.in)
}
func (s *seat) Restart(_ int, at broker.Position, why feed.Reason) { s.RestartAll(at, why) }
func (s *seat) RestartAll(at broker.Position, why feed.Reason) {
	s.r.restarts = append(s.r.restarts, fmt.Sprintf("%s: %s at %v", s.name, why, at))
}
func (s *seat) Refuse(int, error) {}

// serve asks the broker what a feed wants. The reader is locked.
func (r *reader) serve(s *seat) {
	for _, q := range s.feed.Requests() {
		r.wg.Go(func() {
			select {
			case <-time.After(q.After):
			case <-r.life.Done():
				return
			}
			ctx, cancel := context.WithTimeout(r.life, 10*time.Second)
			defer cancel()
			var head broker.Head
			var page broker.Page
			var err error
			switch q.Kind {
			case feed.AskOpen:
				var heads []broker.Head
				if heads, err = r.b.Open(ctx, []string{s.name}); err == nil {
					head = heads[0]
				}
			case feed.AskHead:
				var heads []broker.Head
				if heads, _, err = r.b.Heads(ctx, []string{s.name}, ""); err == nil {
					head = heads[0]
				}
			case feed.AskRead:
				page, err = r.b.Read(ctx, s.name, q.Range)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			switch q.Kind {
			case feed.AskOpen:
				s.feed.Opened(q.Serial, time.Now(), head, err)
			case feed.AskHead:
				s.feed.Headed(q.Serial, time.Now(), head, err)
			case feed.AskRead:
				s.feed.Page(q.Serial, time.Now(), page, err)
			}
			r.serve(s)
		})
	}
}

// check looks at all heads now and then.
func (r *reader) check() {
	var mark broker.Mark
	for {
		select {
		case <-time.After(r.every):
		case <-r.life.Done():
			return
		}
		asked, stood := time.Now(), map[string]broker.Position{}
		var rooms []string
		r.mu.Lock()
		for name, s := range r.seats {
			rooms = append(rooms, name)
			stood[name] = s.feed.Top()
		}
		r.mu.Unlock()
		ctx, cancel := context.WithTimeout(r.life, 10*time.Second)
		changed, next, err := r.b.Heads(ctx, rooms, mark)
		cancel()
		if err != nil {
			continue
		}
		mark = next
		r.mu.Lock()
		for _, h := range changed {
			s := r.seats[h.Room]
			s.feed.Checked(time.Now(), asked, stood[h.Room], h)
			r.serve(s)
		}
		r.mu.Unlock()
	}
}

func (r *reader) Deliver(m broker.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.drop > 0 && rand.Float64() < r.drop {
		r.dropped++
		return
	}
	if s := r.seats[m.Room]; s != nil {
		s.feed.Deliver(time.Now(), m)
		r.serve(s)
	}
}

func (r *reader) Uncertain(scope broker.Scope, _ error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, s := range r.seats {
		if scope.All() || slices.Contains(scope.Rooms, name) {
			s.feed.Uncertain(time.Now())
			r.serve(s)
		}
	}
}

func (r *reader) State(broker.State, error) {}
func (r *reader) NodeUp(broker.NodeState)   {}
func (r *reader) NodeDown(broker.NodeState) {}

// A writer publishes with keys and tries again until it knows the outcome.
type writer struct {
	mu    sync.Mutex
	acked map[string]map[uint64]string // data by offset, by room
	tries int
	again int // acknowledged as repetitions
}

func (w *writer) publish(ctx context.Context, b broker.Broker, room, data string) error {
	o := broker.PublishOptions{Key: data, Publisher: "writer"}
	for {
		try, cancel := context.WithTimeout(ctx, 2*time.Second)
		ack, err := b.Publish(try, room, []byte(data), o)
		cancel()
		w.mu.Lock()
		if err == nil {
			defer w.mu.Unlock()
			if w.acked == nil {
				w.acked = map[string]map[uint64]string{}
			}
			if w.acked[room] == nil {
				w.acked[room] = map[uint64]string{}
			}
			if ack.Duplicate {
				w.again++
			}
			if had, ok := w.acked[room][ack.Position.Offset]; ok {
				return fmt.Errorf("%s: offset %d is that of %q and of %q", room, ack.Position.Offset, had, data)
			}
			w.acked[room][ack.Position.Offset] = data
			return nil
		}
		w.tries++
		w.mu.Unlock()
		if ctx.Err() != nil || errors.Is(err, broker.ErrKeyReused) {
			return fmt.Errorf("%s %s: %w", room, data, err)
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// want lists what was acknowledged in a room, in its order.
func (w *writer) want(room string) (data []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var offsets []uint64
	for o := range w.acked[room] {
		offsets = append(offsets, o)
	}
	slices.Sort(offsets)
	for _, o := range offsets {
		data = append(data, w.acked[room][o])
	}
	return data
}
