package feed_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

// An interest is a broker that notes which rooms are open.
type interest struct {
	broker.Broker
	mu    sync.Mutex
	rooms map[string]bool
}

func (i *interest) set(open bool, rooms ...string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, room := range rooms {
		i.rooms[room] = open
	}
}

func (i *interest) has(room string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.rooms[room]
}

func (i *interest) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	i.set(true, rooms...)
	return i.Broker.Open(ctx, rooms)
}

func (i *interest) Release(rooms []string) {
	i.set(false, rooms...)
	i.Broker.Release(rooms)
}

// TestRoomsComeAndGoWhileTheyAreJoined releases rooms as soon as they are left:
// every join is answered nevertheless, the broker knows of every room that is
// live, and nobody misses anything.
func TestRoomsComeAndGoWhileTheyAreJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &interest{Broker: memory.New(nil), rooms: map[string]bool{}}
		p := startOn(t, b, "n", func(o *feed.Options[*reader]) { o.CheckEvery, o.Linger = time.Millisecond, time.Millisecond })
		defer p.close(t)
		var readers sync.WaitGroup
		for i := range 8 {
			readers.Go(func() {
				r, room := &reader{}, fmt.Sprint("r", i%4)
				for range 300 {
					r.join(t, p, room)
					time.Sleep(time.Millisecond)
					p.publish(room, "m")
					if !r.attached() || r.position().Offset == 0 {
						t.Errorf("a reader of %s stands at %v, attached %v", room, r.position(), r.attached())
						return
					}
					p.runner.With(room, func(broker.Position) {
						if !b.has(room) {
							t.Errorf("%s is live, and the broker does not have it open", room)
						}
					})
					r.leave(p, room)
					time.Sleep(time.Duration(i%4) * time.Millisecond)
				}
				if r.wrong != "" || len(r.restarts) > 0 {
					t.Errorf("a reader: %s, restarts %q", r.wrong, r.restarts)
				}
			})
		}
		readers.Wait()
	})
}

// queue lets goroutines come to the lock that their caller holds. Nothing tells
// that they have; if one has not, the test sees less.
func queue(calls ...func()) *sync.WaitGroup {
	var done sync.WaitGroup
	for _, call := range calls {
		done.Go(call)
		for range 2000 {
			runtime.Gosched()
		}
	}
	return &done
}

func TestCallThatWaitedForTheLockOfARoomThatWentFindsAnother(t *testing.T) {
	b := memory.New(nil)
	r, late := &reader{}, broker.Message{Room: "r", Position: stand(1)}
	var p *process
	var queued *sync.WaitGroup
	joined := make(chan struct{})
	var once sync.Once
	p = startOn(t, b, "n", func(o *feed.Options[*reader]) {
		o.CheckEvery, o.Linger = time.Millisecond, time.Millisecond
		o.Keep = func(name string) (kept bool) {
			kept = p.keep(name)
			once.Do(func() { // what is queued comes after the release, if it is quick
				held := make(chan struct{})
				go p.runner.With("r", func(broker.Position) {
					close(held)
					queued = queue(
						func() {}, // the release
						func() { r.join(t, p, "r") },
						func() { p.Deliver(late) },
					)
					close(joined)
				})
				<-held
			})
			return kept
		}
	})
	defer p.close(t)
	if err := p.runner.Open(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	<-joined
	queued.Wait()
	until(t, "its join is answered", r.attached)
	p.publish("r", "1")
	until(t, "it gets what is published", func() bool { got, _ := r.heard(); return len(got) == 1 })
}

// until waits until something holds, where there is no clock to be moved.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for late := time.Now().Add(20 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatalf("it never comes that %s", what)
		}
	}
}

func TestCallThatWaitedForTheLockWhenItClosedIsNotDone(t *testing.T) {
	p := startOn(t, memory.New(nil), "n")
	r := &reader{}
	r.join(t, p, "r")
	if err := p.runner.Open(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	top := p.runner.Top("r")
	next := broker.Message{Room: "r", Position: broker.Position{Epoch: top.Epoch, Offset: 1, Tag: 1}}
	var closed, queued *sync.WaitGroup
	p.runner.With("r", func(broker.Position) {
		closed = queue(p.runner.Close)
		queued = queue(func() { p.Deliver(next) })
	})
	closed.Wait()
	before, _ := r.heard() // what came to the lock first
	queued.Wait()
	if got, _ := r.heard(); len(got) != len(before) {
		t.Error("a member got a message after Close")
	}
	p.close(t)
}
