package feed_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

func TestStormOfRoomsIsAFewCallsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rooms = 3000
		slow := func(ctx context.Context, _ []string) error {
			time.Sleep(time.Millisecond)
			return nil
		}
		b := &hooked{Broker: memory.New(nil), open: slow, heads: slow}
		p := startOn(t, b, "n")
		defer p.close(t)
		readers := make([]*reader, rooms)
		for i := range readers {
			readers[i] = &reader{}
			readers[i].join(t, p, fmt.Sprint("r", i))
		}
		time.Sleep(time.Second)
		if calls, asked, most := b.count(); calls > rooms/30 || most > 32 || asked != rooms {
			t.Errorf("%d rooms are opened with %d calls, %d at a time, of %d rooms", rooms, calls, most, asked)
		}
		p.Uncertain(broker.Scope{}, nil)
		time.Sleep(time.Second)
		if calls, asked, most := b.count(); calls > rooms/30 || most > 32 || asked != rooms {
			t.Errorf("the heads of %d rooms are asked with %d calls, %d at a time, of %d rooms", rooms, calls, most, asked)
		}
		for i, r := range readers {
			if !r.attached() || !p.live(fmt.Sprint("r", i)) {
				t.Fatalf("reader %d is not attached, or its room is not live", i)
			}
		}
	})
}

func TestStormOfReturningMembersIsAFewCallsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &hooked{Broker: memory.New(nil), read: func(ctx context.Context, _ string) error {
			time.Sleep(time.Millisecond)
			return nil
		}}
		p := startOn(t, b, "n")
		defer p.close(t)
		var at []broker.Position
		for range 400 {
			at = append(at, p.publish("r", "1"))
		}
		if err := p.runner.Open(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		b.count()
		var readers []*reader
		for _, from := range at[len(at)-90:] { // the broker keeps a hundred
			for range 10 {
				r := &reader{last: from}
				r.join(t, p, "r")
				readers = append(readers, r)
			}
		}
		time.Sleep(time.Second)
		for i, r := range readers {
			if got, restarts := r.heard(); len(got) != 89-i/10 || len(restarts) != 0 {
				t.Fatalf("reader %d got %d messages, and was restarted: %q", i, len(got), restarts)
			}
		}
		if calls, _, most := b.count(); calls > 89 || most > 32 || most < 2 {
			t.Errorf("%d readers are %d calls, %d at a time", len(readers), calls, most)
		}
	})
}

func TestMembersOfAnOldEpochShareTheirQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &hooked{Broker: memory.New(nil)}
		p := startOn(t, b, "n")
		defer p.close(t)
		if err := p.runner.Open(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		b.count()
		readers := make([]*reader, 500)
		for i := range readers {
			readers[i] = &reader{last: broker.Position{Epoch: "old", Offset: uint64(i), Tag: 1}}
			readers[i].join(t, p, "r")
		}
		time.Sleep(soon)
		for i, r := range readers {
			if _, restarts := r.heard(); !slices.Equal(restarts, []feed.Reason{feed.Forgotten}) {
				t.Fatalf("reader %d was restarted: %q", i, restarts)
			}
		}
		if calls, _, _ := b.count(); calls > 10 {
			t.Errorf("%d members of an old epoch are %d calls", len(readers), calls)
		}
	})
}

func TestRoomOpenedWhileHeadsAreCheckedIsNotForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checking, goOn := make(chan struct{}), make(chan struct{})
		var first sync.Once
		b := &hooked{Broker: memory.New(nil), heads: func(ctx context.Context, rooms []string) error {
			if slices.Contains(rooms, "early") {
				first.Do(func() { close(checking); <-goOn })
			}
			return nil
		}}
		f := brokertest.Faulty(b, 1, brokertest.Faults{})
		p := startOn(t, f, "n")
		defer p.close(t)
		early, late := &reader{}, &reader{}
		early.join(t, p, "early")
		<-checking
		late.join(t, p, "late")
		synctest.Wait()
		f.SetFaults(brokertest.Faults{Drop: 1})
		p.publish("late", "1")
		close(goOn) // the mark that this check gets is from after the message
		time.Sleep(time.Minute)
		if got, _ := late.heard(); len(got) != 1 {
			t.Errorf("a minute later its member got %q", got)
		}
	})
}

// A meter is a room without members that counts what is emitted.
type meter struct {
	begun, ended uint64
}

func (m *meter) Emit(broker.Message) {
	m.begun++
	m.ended++
}
func (m *meter) Attach(int, broker.Position, []broker.Message) {}
func (m *meter) Restart(int, broker.Position, feed.Reason)     {}
func (m *meter) RestartAll(broker.Position, feed.Reason)       {}
func (m *meter) Refuse(int, error)                             {}

// A relay is a sink that passes on what is for a Runner.
type relay struct {
	broker.Sink
	*feed.Runner[int]
}

func (relay) State(broker.State, error)             {}
func (relay) NodeUp(broker.NodeState)               {}
func (relay) NodeDown(broker.NodeState)             {}
func (r relay) Deliver(m broker.Message)            { r.Runner.Deliver(m) }
func (r relay) Uncertain(s broker.Scope, why error) { r.Runner.Uncertain(s, why) }

func TestWithStandsBetweenTwoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, room := memory.New(nil), &meter{}
		r := feed.NewRunner(feed.Options[int]{Broker: b, Room: func(string) feed.Room[int] { return room }})
		defer r.Close()
		if err := b.Start(t.Context(), broker.Node{ID: "n"}, relay{Runner: r}); err != nil {
			t.Fatal(err)
		}
		look := func() (stood uint64, ran bool) {
			ran = r.With("r", func(top broker.Position) {
				stood = top.Offset
				if room.begun != stood || room.ended != stood {
					t.Errorf("at %d there are %d messages begun and %d ended", stood, room.begun, room.ended)
				}
			})
			return stood, ran
		}
		if _, ran := look(); ran {
			t.Error("a room that is not open is looked at")
		}
		if err := r.Open(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		const messages = 5000
		var publishers sync.WaitGroup
		for range 2 {
			publishers.Go(func() {
				for range messages / 2 {
					if _, err := b.Publish(t.Context(), "r", nil, broker.PublishOptions{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		var stood uint64
		for stood < messages {
			now, ran := look()
			if !ran || now < stood {
				t.Fatalf("after %d the room stands at %d, live %v", stood, now, ran)
			}
			stood = now
		}
		publishers.Wait()
	})
}

// TestCloseInTheMiddleOfEverything ends a Runner while everything is used: when
// Close has returned no Room is called any more, and nothing is left running
// (synctest fails otherwise).
func TestCloseInTheMiddleOfEverything(t *testing.T) {
	for range 20 {
		synctest.Test(t, closeInTheMiddle)
	}
}

func closeInTheMiddle(t *testing.T) {
	var closed atomic.Bool
	hang := func(ctx context.Context) error { // some calls end with the Runner alone
		if rand.IntN(4) == 0 {
			<-ctx.Done()
			return ctx.Err()
		}
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		return nil
	}
	b := &hooked{
		Broker: memory.New(nil),
		open:   func(ctx context.Context, _ []string) error { return hang(ctx) },
		heads:  func(ctx context.Context, _ []string) error { return hang(ctx) },
		read:   func(ctx context.Context, _ string) error { return hang(ctx) },
	}
	r := feed.NewRunner(feed.Options[int]{
		Broker: b, CheckEvery: 50 * time.Millisecond, Linger: 10 * time.Millisecond,
		Room: func(string) feed.Room[int] { return &alarm{t: t, closed: &closed} },
		Keep: func(string) bool { return rand.IntN(2) == 0 },
	})
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, relay{Runner: r}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var users sync.WaitGroup
	for member := range 20 {
		users.Go(func() {
			for ctx.Err() == nil {
				useRunner(ctx, t, r, b, member)
				time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
			}
		})
	}
	time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
	var closers sync.WaitGroup
	closers.Go(r.Close)
	r.Close()
	closed.Store(true)
	closers.Wait()
	time.Sleep(50 * time.Millisecond)
	if n := r.Rooms(); n != 0 {
		t.Errorf("%d rooms are open after Close", n)
	}
	stop()
	users.Wait()
}

// useRunner does one of the things that can be done with a Runner.
func useRunner(ctx context.Context, t *testing.T, r *feed.Runner[int], b broker.Broker, member int) {
	room := fmt.Sprint("r", rand.IntN(5))
	switch rand.IntN(8) {
	case 0, 1:
		if err := r.Join(room, member, broker.Position{Epoch: "e", Offset: rand.Uint64N(9), Tag: 1}); err == nil {
			time.Sleep(time.Millisecond)
			r.Leave(room, member)
		}
	case 2:
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_ = r.Open(ctx, room)
	case 3:
		r.With(room, func(broker.Position) {})
	case 4:
		r.Uncertain(broker.Scope{}, nil)
	case 5:
		r.Uncertain(broker.Scope{Rooms: []string{room}}, nil)
	default:
		if _, err := b.Publish(ctx, room, nil, broker.PublishOptions{}); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
}

// An alarm is a room that must not be called after it was closed.
type alarm struct {
	t      *testing.T
	closed *atomic.Bool
}

func (a *alarm) called(what string) {
	if a.closed.Load() {
		a.t.Errorf("%s after Close", what)
	}
}

func (a *alarm) Emit(broker.Message)                           { a.called("Emit") }
func (a *alarm) Attach(int, broker.Position, []broker.Message) { a.called("Attach") }
func (a *alarm) Restart(int, broker.Position, feed.Reason)     { a.called("Restart") }
func (a *alarm) RestartAll(broker.Position, feed.Reason)       { a.called("RestartAll") }
func (a *alarm) Refuse(int, error)                             { a.called("Refuse") }
