package brokertest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
)

// A Storm is a test of many nodes of one store at work while something happens to
// it: publishers on every node publish to all rooms, and try again with the same
// key what failed; every node follows all rooms. In the end each node must have of
// each room what the store has, in its order, once, and the store all that was
// acknowledged, once.
type Storm struct {
	// Nodes are brokers of one store, not started. The storm starts and closes
	// them.
	Nodes []broker.Broker
	// Rooms and Publishers are how many there are; zero is 20 and 6.
	Rooms, Publishers int
	// Disturb is what happens. The storm goes on for a moment when it has returned.
	Disturb func()
	// MayReset: the store may lose what it had acknowledged, so that rooms may begin
	// anew. What is proven then is that nodes are told, and agree with the store
	// afterwards.
	MayReset bool
}

// A StormReport is what happened in a storm.
type StormReport struct {
	Published  int // and acknowledged
	Tries      int // that failed
	Duplicates int // acknowledgements of an earlier try
	Resets     int // rooms that began anew on a node
	Uncertain  int // times that nodes were told to be uncertain
}

func (r StormReport) String() string {
	return fmt.Sprintf("%d published, %d tries failed, %d acknowledged twice, %d resets, %d times uncertain", r.Published, r.Tries, r.Duplicates, r.Resets, r.Uncertain)
}

// stormProfile keeps all that a storm publishes.
var stormProfile = broker.Profile{Name: "storm", Size: 1 << 20}

// around is how long a storm lasts before and after it is disturbed.
const around = 300 * time.Millisecond

// Run runs the storm.
func (s Storm) Run(t *testing.T) StormReport {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	rooms := make([]string, orDefault(s.Rooms, 20))
	for i := range rooms {
		rooms[i] = fmt.Sprint("storm-", i)
	}
	var followers []*follower
	for i, b := range s.Nodes {
		f := newFollower(b)
		if err := b.Start(ctx, broker.Node{ID: fmt.Sprint("storm-", i), Profiles: []broker.Profile{stormProfile}}, f); err != nil {
			t.Fatalf("Start: %v", err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			if err := b.Close(ctx); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
		if err := f.follow(ctx, rooms); err != nil {
			t.Fatalf("Open: %v", err)
		}
		followers = append(followers, f)
	}
	acked, report := s.blow(ctx, t, rooms)
	for i, f := range followers {
		for _, room := range rooms {
			s.settle(ctx, t, i, f, room)
		}
		close(f.stop)
		<-f.done
		report.Uncertain += f.UncertainCount()
	}
	for _, room := range rooms {
		report.Resets += s.compare(ctx, t, room, followers, acked[room])
	}
	return report
}

func orDefault(v, unset int) int {
	if v == 0 {
		return unset
	}
	return v
}

// blow publishes while the storm is disturbed, and returns what was acknowledged.
func (s Storm) blow(ctx context.Context, t *testing.T, rooms []string) (map[string][]string, StormReport) {
	var (
		mu     sync.Mutex
		acked  = map[string][]string{}
		report StormReport
		calm   atomic.Bool
		wg     sync.WaitGroup
	)
	for p := range orDefault(s.Publishers, 6) {
		wg.Go(func() {
			b := s.Nodes[p%len(s.Nodes)]
			for i := 0; !calm.Load(); i++ {
				room, data := rooms[rand.N(len(rooms))], fmt.Sprint(p, "-", i)
				ack, tries, err := persist(ctx, b, room, data)
				mu.Lock()
				report.Tries += tries
				if err != nil {
					t.Errorf("Publish: %v", err)
					calm.Store(true)
				} else {
					report.Published++
					acked[room] = append(acked[room], data)
					if ack.Duplicate {
						report.Duplicates++
					}
				}
				mu.Unlock()
			}
		})
	}
	moment := time.NewTimer(around)
	<-moment.C
	if s.Disturb != nil {
		s.Disturb()
	}
	moment.Reset(around)
	<-moment.C
	calm.Store(true)
	wg.Wait()
	return acked, report
}

// persist publishes until it is acknowledged, always under the same key.
func persist(ctx context.Context, b broker.Broker, room, data string) (ack broker.Ack, tries int, err error) {
	o := broker.PublishOptions{Profile: stormProfile.Name, Key: data, Publisher: "storm"}
	for ; ; tries++ {
		one, cancel := context.WithTimeout(ctx, 10*time.Second)
		ack, err = b.Publish(one, room, []byte(data), o)
		cancel()
		if err == nil || ctx.Err() != nil || errors.Is(err, broker.ErrKeyReused) || errors.Is(err, broker.ErrClosed) {
			return ack, tries, err
		}
		pause := time.NewTimer(20 * time.Millisecond)
		<-pause.C
	}
}

// settle waits until a follower has come to the room's head.
func (s Storm) settle(ctx context.Context, t *testing.T, node int, f *follower, room string) {
	t.Helper()
	last := ""
	for deadline := time.Now().Add(2 * patience); time.Now().Before(deadline); {
		heads, _, err := f.b.Heads(ctx, []string{room}, "")
		if err == nil && heads[0].Position == f.state(room).top {
			return
		}
		last = fmt.Sprintf("head %v, %v, node at %v", heads, err, f.state(room).top)
		f.stir()
		pause := time.NewTimer(5 * time.Millisecond)
		<-pause.C
	}
	t.Errorf("node %d does not come to the head of %s: %s", node, room, last)
}

// compare compares what the nodes have of a room with what the store has, and
// returns how often it began anew.
func (s Storm) compare(ctx context.Context, t *testing.T, room string, followers []*follower, acked []string) (resets int) {
	t.Helper()
	stored, err := readAll(ctx, followers[0].b, room)
	if err != nil {
		t.Errorf("Read: %v", err)
		return 0
	}
	count := map[string]int{}
	for _, m := range stored {
		count[string(m.Data)]++
	}
	for data, n := range count {
		if n != 1 && !s.MayReset { // a store that loses messages may lose their keys
			t.Errorf("%s: %q is recorded %d times", room, data, n)
		}
	}
	for _, data := range acked {
		if count[data] == 0 && !s.MayReset {
			t.Errorf("%s: %q was acknowledged and is not there", room, data)
		}
	}
	for i, f := range followers {
		has := f.state(room)
		resets += has.resets
		from := slices.IndexFunc(stored, func(m broker.Message) bool { return m.Position.Offset > has.begun.Offset })
		want := stored
		if from < 0 {
			want = nil
		} else {
			want = stored[from:]
		}
		if !slices.EqualFunc(has.seen, want, func(a, b broker.Message) bool { return a.Position == b.Position && string(a.Data) == string(b.Data) }) {
			t.Errorf("%s: node %d saw %d messages after %v, the store has %d", room, i, len(has.seen), has.begun, len(want))
		}
	}
	if resets > 0 && !s.MayReset {
		t.Errorf("%s began anew %d times", room, resets)
	}
	return resets
}

func readAll(ctx context.Context, b broker.Broker, room string) (all []broker.Message, err error) {
	var from broker.Position
	for {
		page, err := b.Read(ctx, room, broker.Range{From: from})
		if err != nil {
			return nil, err
		}
		for _, m := range page.Messages {
			if m.Position != from {
				all = append(all, m)
			}
		}
		if !page.More {
			return all, nil
		}
		from = all[len(all)-1].Position
	}
}
