package feed_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

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
		time.Sleep(12 * time.Second)
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
