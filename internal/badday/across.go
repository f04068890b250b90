package badday

import (
	"context"
	"testing"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// Across is a test of a good day: what is said reaches rooms, users, sockets and
// everyone on all nodes; counts and presence are one; a session goes on at another
// node; a user is disconnected everywhere; a node that goes leaves no ghost.
func (s *Stage) Across(t *testing.T) {
	a, b, ann, bob := s.pair(t)
	bob2 := finchtest.Connect(t, a, finch.Identity{User: "bob"})
	bob2.Hello()
	counted := func(n *node) bool {
		return n.count(t, n.Everyone()) == 3 && n.count(t, n.User("bob")) == 2 && n.count(t, n.User("ann")) == 1 && n.count(t, n.Room(room)) == 2
	}
	until(t, "all are counted", func() bool { return counted(a) && counted(b) })
	wait(300 * time.Millisecond) // what is sent reaches who is known everywhere to be there

	publish(t, ann, "published", "")
	hears(t, ann, "published")
	hears(t, bob, "published")
	id := ""
	for s := range a.User("ann").Sockets() {
		id = s.ID()
	}
	for text, send := range map[string]func() error{
		"room":   func() error { return a.Room(room).Send("sent", "room") },
		"all":    func() error { return b.SendToAll("sent", "all") },
		"user":   func() error { return b.SendToUser("bob", "sent", "user") },
		"socket": func() error { return b.SendToSocket(id, "sent", "socket") },
	} {
		if err := send(); err != nil {
			t.Fatal(err)
		}
		for _, c := range map[string][]*finchtest.Client{"room": {ann, bob}, "all": {ann, bob, bob2}, "user": {bob, bob2}, "socket": {ann}}[text] {
			var got string
			if c.Expect("sent", &got); got != text {
				t.Errorf("%q was heard, not %q", got, text)
			}
		}
	}
	for _, c := range []*finchtest.Client{ann, bob} {
		until(t, "both are present", func() bool { return members(c) == "[{ann 1} {bob 1}] <nil>" })
	}

	ann.Drop()
	publish(t, bob, "missed", "")
	hears(t, bob, "missed")
	ann.Turn(b)
	if g := ann.Resume(); !g.Resumed {
		t.Errorf("ann comes to the other node as %+v", g)
	}
	hears(t, ann, "missed")

	b.User("bob").CloseSockets(4000, "gone")
	for _, c := range []*finchtest.Client{bob, bob2} {
		if code, _ := c.ExpectClose(); code != 4000 {
			t.Errorf("closed with %d", code)
		}
	}
	carol := enter(t, a, "carol")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	until(t, "the node that went left nobody behind", func() bool {
		return members(carol) == "[{carol 1}] <nil>" && a.count(t, a.Everyone()) == 1
	})
	if err := a.Room(room).Close(ctx); err != nil {
		t.Error(err)
	}
	carol.Expect("finch.left", nil)
}
