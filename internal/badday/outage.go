package badday

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// Outage is a test: the store is gone for a while and comes back. Sockets are
// kept, publishes are refused and may be repeated, nobody is taken out of
// presence, and afterwards all goes on: from where it was, or with a reset if the
// store has forgotten.
func (s *Stage) Outage(t *testing.T) {
	a, b, ann, bob := s.pair(t)
	if _, err := finchtest.Request[any](bob, "finch.presence", map[string]any{"room": room, "watch": true}); err != nil {
		t.Fatal(err)
	}
	publish(t, ann, "before", "")
	hears(t, ann, "before")
	hears(t, bob, "before")
	until(t, "both are counted", func() bool { return a.count(t, a.Everyone()) == 2 && b.count(t, b.Room(room)) == 2 })
	bob.Skip()

	s.Stop()
	until(t, "the node knows that the store is gone", func() bool {
		_, err := a.Room(room).Publish(t.Context(), "say", "never")
		return errors.Is(err, finch.ErrUnavailable)
	})
	until(t, "a client is refused", func() bool {
		_, _, err := ann.Publish(room, "say", "during", "k")
		return finch.StatusOf(err) == 503
	})
	said := a.book.lines() + b.book.lines()
	late := finchtest.Connect(t, a, finch.Identity{User: "late"})
	late.Hello()
	for back := time.Now().Add(s.Gone); time.Now().Before(back); {
		began := time.Now()
		if _, _, err := ann.Publish(room, "say", "during", "k"); finch.StatusOf(err) != 503 || time.Since(began) > time.Second {
			t.Fatalf("a publish without the store gives %v after %v", err, time.Since(began))
		}
		wait(s.Gone / 30)
	}
	if ann.Ended() || bob.Ended() || late.Ended() {
		t.Fatal("a socket was not kept")
	}
	if a.ready() != 200 {
		t.Error("a node that lost the store sends clients away")
	}
	if more := a.book.lines() + b.book.lines() - said; more > 10 {
		t.Errorf("the outage is told in %d lines", more)
	}

	s.Start()
	if s.Forgets { // what is published before the reset is in the history, and not told
		ann.Expect("finch.reset", nil)
		bob.Expect("finch.reset", nil)
	}
	s.awaitServing(t, a)
	arrives(t, publish(t, ann, "during", "k"), ann, bob)
	hears(t, ann, "during")
	hears(t, bob, "during")
	s.isWhole(t, a, b, ann, bob, late)
}

// awaitServing waits until the store takes messages again: an election takes as
// long as a client's publish may.
func (s *Stage) awaitServing(t *testing.T, n *node) {
	t.Helper()
	until(t, "the store serves", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := n.Room(room).Publish(ctx, "probe", nil)
		return err == nil
	})
}

// Filled is a test: the store has no room for more until there is room again.
// Nobody is sent away, what there is can be read, and nothing stays stuck.
func (s *Stage) Filled(t *testing.T, fill, relieve func()) {
	a, b, ann, bob := s.pair(t)
	publish(t, ann, "before", "")
	hears(t, ann, "before")
	hears(t, bob, "before")
	fill()
	until(t, "a client is refused", func() bool {
		_, _, err := ann.Publish(room, "say", "during", "k")
		return finch.StatusOf(err) == 503
	})
	wait(s.Gone)
	late := finchtest.Connect(t, a, finch.Identity{User: "late"})
	late.Hello()
	if ann.Ended() || bob.Ended() || late.Ended() {
		t.Fatal("a socket was not kept")
	}
	if n := a.book.lines() + b.book.lines(); n > 10 {
		t.Errorf("a full store is told in %d lines", n)
	}
	relieve()
	arrives(t, publish(t, ann, "during", "k"), ann, bob)
	hears(t, ann, "during")
	hears(t, bob, "during")
	s.isWhole(t, a, b, ann, bob, late)
}

// isWhole fails the test unless everything works for ann and late at a and bob at b.
func (s *Stage) isWhole(t *testing.T, a, b *node, ann, bob, late *finchtest.Client) {
	t.Helper()
	until(t, "the late one is in the room", func() bool {
		_, err := late.Join(room)
		return err == nil
	})
	publish(t, bob, "after", "")
	for _, c := range []*finchtest.Client{ann, bob, late} {
		hears(t, c, "after")
	}
	bob.Drop()
	publish(t, ann, "missed", "")
	bob.Turn(a)
	if g := bob.Resume(); !g.Resumed {
		t.Errorf("bob comes to the other node as %+v", g)
	}
	hears(t, bob, "missed")
	hears(t, ann, "missed")
	bob.Drop()
	bob.Turn(b)
	bob.Resume()
	until(t, "all are counted", func() bool {
		return a.count(t, a.Everyone()) == 3 && b.count(t, b.Everyone()) == 3 && b.count(t, b.Room(room)) == 3 && a.count(t, a.User("bob")) == 1
	})
	const all = "[{ann 1} {bob 1} {late 1}] <nil>"
	until(t, "all are present", func() bool { return members(ann) == all && members(bob) == all })
}

// LateStore is a test: the nodes and their clients are there before the store.
func (s *Stage) LateStore(t *testing.T) {
	s.Stop()
	a, b := s.node(t, "a", "secret"), s.node(t, "b", "secret")
	var clients []*finchtest.Client
	for user, n := range map[string]*node{"ann": a, "bob": b, "late": a} {
		c := finchtest.Connect(t, n, finch.Identity{User: user})
		began := time.Now()
		if c.Hello(); time.Since(began) > time.Second {
			t.Errorf("%s waits %v for the welcome", user, time.Since(began))
		}
		clients = append(clients, c)
	}
	if a.ready() != 503 {
		t.Error("a node without a store says that it is ready")
	}
	if _, err := a.Room(room).Publish(t.Context(), "say", "never"); !errors.Is(err, finch.ErrUnavailable) {
		t.Errorf("Publish gives %v", err)
	}
	wait(s.Gone)
	for _, c := range clients {
		if c.Ended() {
			t.Fatal("a socket was not kept")
		}
	}
	if n := a.book.lines(); n > 10+int(s.Gone/time.Minute) {
		t.Errorf("that the store is not there is told in %d lines", n)
	}
	s.Start()
	until(t, "both are ready", func() bool { return a.ready() == 200 && b.ready() == 200 })
	for _, c := range clients {
		until(t, "all are in the room", func() bool {
			_, err := c.Join(room)
			return err == nil
		})
	}
	publish(t, clients[0], "at last", "")
	for _, c := range clients {
		hears(t, c, "at last")
	}
	until(t, "all are counted", func() bool { return a.count(t, a.Everyone()) == 3 && b.count(t, b.Room(room)) == 3 })
	const all = "[{ann 1} {bob 1} {late 1}] <nil>"
	until(t, "all are present", func() bool { return members(clients[0]) == all && members(clients[2]) == all })
}

// Emptied is a test: all that the store holds is removed while people talk. Each
// is told, and nothing stays stuck.
func (s *Stage) Emptied(t *testing.T) {
	a, b, ann, bob := s.pair(t)
	away := enter(t, b, "late")
	publish(t, ann, "before", "k")
	for _, c := range []*finchtest.Client{ann, bob, away} {
		hears(t, c, "before")
	}
	away.Drop()
	s.Empty()
	for _, c := range []*finchtest.Client{ann, bob} {
		c.Expect("finch.reset", nil)
	}
	publish(t, ann, "fresh", "k") // the key is forgotten too
	hears(t, ann, "fresh")
	hears(t, bob, "fresh")
	away.Turn(a)
	if g := away.Resume(); !g.Resumed {
		t.Errorf("the session is gone: %+v", g)
	}
	away.Expect("finch.reset", nil)
	s.isWhole(t, a, b, ann, bob, away)
}
