package feed_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
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

func TestRoomIsReleasedWhenItWasLeftLongEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewCluster(nil)
		p := startProcess(t, c, "n", 1, brokertest.Faults{})
		defer p.close(t)
		a, b := &reader{}, &reader{}
		time.Sleep(15 * time.Second) // half a time of the check
		a.join(t, p, "r")
		synctest.Wait()
		a.leave(p, "r")
		time.Sleep(20 * time.Second)
		if p.runner.Rooms() != 1 {
			t.Fatal("the room did not linger")
		}
		time.Sleep(26 * time.Second)
		if p.runner.Rooms() != 0 || c.Stats().Rooms != 0 {
			t.Errorf("%d rooms are open, %d on the store", p.runner.Rooms(), c.Stats().Rooms)
		}
		b.last = a.position()
		b.join(t, p, "r")
		synctest.Wait()
		p.publish("r", "1")
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
		p.publish("r", "1")
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

func TestRoomIsKeptOpenWhileItIsNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		r := &reader{}
		r.join(t, p, "r")
		time.Sleep(10 * time.Minute)
		p.publish("r", "1")
		if got, _ := r.heard(); len(got) != 1 {
			t.Errorf("after ten minutes a member got %q", got)
		}
		r.leave(p, "r")
		time.Sleep(31 * time.Second)
		if n := p.runner.Rooms(); n != 0 {
			t.Errorf("%d rooms are open after the last member left", n)
		}
	})
}

func TestRoomThatIsJoinedWhileItIsReleasedIsOpenedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *process
		telling, goOn := make(chan struct{}), make(chan struct{})
		p = startOn(t, memory.New(nil), "n", func(o *feed.Options[*reader]) {
			o.Gone = func(name string) {
				close(telling)
				<-goOn
				p.gone(name)
			}
		})
		if err := p.runner.Open(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		<-telling
		r, leaves := &reader{}, &reader{}
		r.join(t, p, "r")
		leaves.join(t, p, "r")
		synctest.Wait()
		if p.live("r") || r.attached() {
			t.Error("a room that is being released is joined")
		}
		if !p.runner.Leave("r", leaves) {
			t.Error("a join of a room that is being released is not cancelled")
		}
		close(goOn)
		synctest.Wait()
		p.publish("r", "1")
		if got, _ := r.heard(); len(got) != 1 || leaves.answers != 0 {
			t.Errorf("afterwards its member got %q, and the one that left %d answers", got, leaves.answers)
		}
		p.close(t)
	})
}

func TestRoomThatIsJoinedWhileItIsFoundToBeLeftStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p *process
		r := &reader{}
		p = startOn(t, memory.New(nil), "n", func(o *feed.Options[*reader]) {
			o.Keep = func(name string) bool {
				kept := p.keep(name)
				if !kept {
					r.join(t, p, name) // too late for the answer
				}
				return kept
			}
		})
		defer p.close(t)
		if err := p.runner.Open(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		p.publish("r", "1")
		if got, _ := r.heard(); len(got) != 1 || r.joins != 1 {
			t.Errorf("after %d joins it got %q", r.joins, got)
		}
	})
}

func TestOpenReturnsWhenTheRoomIsLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		p.faulty.Cut()
		opened := make(chan error, 1)
		go func() { opened <- p.runner.Open(t.Context(), "r") }()
		time.Sleep(time.Minute)
		if len(opened) != 0 || p.live("r") {
			t.Fatal("a room was opened without the broker")
		}
		p.faulty.Mend()
		if err := <-opened; err != nil || !p.live("r") {
			t.Errorf("after it came back: %v, live %v", err, p.live("r"))
		}
		at := p.publish("r", "1")
		if top := p.runner.Top("r"); top != at {
			t.Errorf("the room stands at %v, not at %v", top, at)
		}
		p.faulty.Cut() // what is live needs no broker
		begun := time.Now()
		if err := p.runner.Open(t.Context(), "r"); err != nil || time.Since(begun) != 0 {
			t.Errorf("a live room is opened after %v: %v", time.Since(begun), err)
		}
	})
}

func TestOpenReturnsErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := "bad"
		b := &hooked{Broker: memory.New(nil), open: func(ctx context.Context, rooms []string) error {
			switch {
			case slices.Contains(rooms, "slow"):
				<-ctx.Done()
				return ctx.Err()
			case slices.Contains(rooms, bad):
				return fmt.Errorf("%w: %s", broker.ErrBadRoom, bad)
			}
			return nil
		}}
		p := startOn(t, b, "n")
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		errs := make(map[string]error)
		var opens sync.WaitGroup
		var mu sync.Mutex
		open := func(ctx context.Context, room string) {
			opens.Go(func() {
				err := p.runner.Open(ctx, room)
				mu.Lock()
				defer mu.Unlock()
				errs[room] = err
			})
		}
		for _, room := range []string{"good", bad, "better", "", strings.Repeat("r", broker.MaxRoom+1)} {
			open(ctx, room)
		}
		synctest.Wait()
		open(ctx, "slow")
		opens.Wait()
		for room, want := range map[string]error{
			"good": nil, "better": nil, bad: broker.ErrBadRoom, "": broker.ErrBadRoom,
			strings.Repeat("r", broker.MaxRoom+1): broker.ErrBadRoom, "slow": context.DeadlineExceeded,
		} {
			if !errors.Is(errs[room], want) || (errs[room] == nil) != (want == nil) {
				t.Errorf("opening %.10q: %v, want %v", room, errs[room], want)
			}
		}
		open(t.Context(), "slow")
		synctest.Wait()
		p.close(t)
		opens.Wait()
		open(t.Context(), "good")
		opens.Wait()
		for _, room := range []string{"slow", "good"} {
			if !errors.Is(errs[room], broker.ErrClosed) {
				t.Errorf("opening %s while or after it closes: %v", room, errs[room])
			}
		}
	})
}

func TestAttachedMemberGoesOnFromItsOwnPosition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		r := &reader{}
		r.join(t, p, "r")
		synctest.Wait()
		p.publish("r", "1")
		r.lag(p, "r")
		p.publish("r", "2")
		p.publish("r", "3")
		r.join(t, p, "r")
		p.publish("r", "4")
		r.join(t, p, "r") // it had not left, and missed nothing
		p.publish("r", "5")
		if got, restarts := r.heard(); !slices.Equal(got, []string{"1", "2", "3", "4", "5"}) || len(restarts) != 0 {
			t.Errorf("it got %q and was restarted: %q", got, restarts)
		}
		if !r.attached() || r.answers != 3 {
			t.Errorf("three joins were answered %d times", r.answers)
		}
	})
}

func TestLeaveCancelsAJoinOrIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
		defer p.close(t)
		r, other := &reader{}, &reader{}
		p.faulty.Cut()
		r.join(t, p, "r")
		if p.runner.Leave("r", other) || p.runner.Leave("elsewhere", r) {
			t.Error("a join was cancelled that there had not been")
		}
		if !p.runner.Leave("r", r) || p.runner.Leave("r", r) {
			t.Error("a join that waits is not cancelled, or twice")
		}
		p.faulty.Mend()
		time.Sleep(6 * time.Second)
		if r.answers != 0 {
			t.Error("a cancelled join was answered")
		}
		r.join(t, p, "r")
		if r.answers != 1 || p.runner.Leave("r", r) {
			t.Errorf("a join that was answered %d times is cancelled", r.answers)
		}
		p.publish("r", "1")
		if got, _ := r.heard(); len(got) != 1 {
			t.Errorf("after a leave that was too late it got %q", got)
		}
	})
}

// quietFeed is what the feed of a quiet room may cost beyond its name.
const quietFeed = 200

func TestQuietFeedIsCheap(t *testing.T) {
	const n = 50_000
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("room-%07d", i)
	}
	b := memory.New(nil)
	p := &process{}
	one := &crowd{t: t}
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
