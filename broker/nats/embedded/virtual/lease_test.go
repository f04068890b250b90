//go:build !race

package virtual_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

func members(t testing.TB, b broker.Broker, room string) (n int) {
	t.Helper()
	shares, err := b.Shares(t.Context(), room)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range shares {
		n += s.Members
	}
	return n
}

func share(t testing.TB, b broker.Broker, room string, n int) {
	t.Helper()
	if err := b.SetShare(t.Context(), room, n); err != nil {
		t.Fatal(err)
	}
}

func TestNodeThatIsCutOffIsGoneWhenItsLeaseEnds(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		steady, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, steady, "steady")
		defer servers.CloseNode(t, steady)
		lost, wire := servers.Wired(s, nats.Options{})
		box := servers.Begin(t, lost, "lost")
		defer servers.CloseNode(t, lost)
		share(t, steady, "r", 1)
		share(t, lost, "r", 10)
		time.Sleep(20 * time.Second)
		if n := members(t, steady, "r"); n != 11 {
			t.Fatalf("%d members", n)
		}
		first := lost.Nodes()[0]
		cut := time.Now()
		wire.Cut()
		time.Sleep(time.Minute)
		if d := in.When("down lost", cut); d < 6*time.Second || d > 11*time.Second {
			t.Errorf("the end of the lease was told after %v", d)
		}
		if n := members(t, steady, "r"); n != 1 {
			t.Errorf("%d members, those of a dead node among them", n)
		}
		if d := box.When("down steady", cut); d >= 0 {
			t.Error("the node that is cut off calls the other one gone")
		}
		if n := len(lost.Nodes()); n != 3 {
			t.Errorf("the node that is cut off knows %d nodes, not the 3 that it knew", n)
		}
		mended := time.Now()
		wire.Mend()
		time.Sleep(15 * time.Second)
		if d := in.When("up lost", mended); d < 0 || d > 2*time.Second {
			t.Errorf("the node that came back was told after %v", d)
		}
		if again := lost.Nodes()[0]; again.ID != "lost" || again.Incarnation == first.Incarnation {
			t.Errorf("it came back as %+v, before %+v", again, first)
		}
		if n := members(t, steady, "r"); n != 11 {
			t.Errorf("%d members after the shares were written anew", n)
		}
		if came, _ := box.Since(0); slices.Contains(came, "down steady") {
			t.Error("the node that was cut off called the other one gone afterwards")
		}
		want := []broker.State{broker.Connected, broker.Down, broker.Degraded, broker.Connected}
		if got := box.States(); !slices.Equal(got, want) && !slices.Equal(got, []broker.State{broker.Connected, broker.Down, broker.Connected}) {
			t.Errorf("its states were %v", got)
		}
	})
}

func TestSharesOfADeadNodeAreClearedAway(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		lost, wire := servers.Wired(s, nats.Options{})
		servers.Begin(t, lost, "lost")
		defer servers.CloseNode(t, lost)
		share(t, lost, "r", 10)
		conn := servers.Connect(t, s)
		count := func() int {
			var info struct {
				State struct{ Subjects map[string]int }
			}
			servers.API(t, conn, "STREAM.INFO.finch_shares", map[string]string{"subjects_filter": "finch.share.*.lost"}, &info)
			return len(info.State.Subjects)
		}
		wire.Cut()
		time.Sleep(30 * time.Second)
		if n := count(); n != 2 { // the room's and that of no room
			t.Errorf("%d shares while the node may come back", n)
		}
		time.Sleep(time.Minute)
		if n := count(); n != 0 {
			t.Errorf("%d shares are left of a node that is gone for long", n)
		}
	})
}

func TestTwoNodesWithOneIDAreRefused(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		first, _ := servers.Wired(s, nats.Options{})
		servers.Begin(t, first, "n")
		defer servers.CloseNode(t, first)
		second, _ := servers.Wired(s, nats.Options{})
		begun := time.Now()
		err := second.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{})
		if err == nil || !strings.Contains(err.Error(), "another node lives") {
			t.Errorf("the second one: %v", err)
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("that was found after %v", d)
		}
		servers.Publish(t, first, "r", "still there", broker.PublishOptions{})
	})
}

func TestKilledNodeStartsAgainUnderItsID(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		first, wire := servers.Wired(s, nats.Options{})
		servers.Begin(t, first, "n")
		share(t, first, "r", 5)
		wire.Cut() // for ever: this life of the node is over
		second, _ := servers.Wired(s, nats.Options{})
		begun := time.Now()
		servers.Begin(t, second, "n")
		defer servers.CloseNode(t, second)
		if d := time.Since(begun); d > 11*time.Second {
			t.Errorf("it waited %v for a lease of 10 s", d)
		}
		if n := members(t, second, "r"); n != 0 {
			t.Errorf("its earlier life has %d members", n)
		}
		servers.CloseNode(t, first)
	})
}

// TestNodesComeBackTogetherAfterAnOutage: all leases have ended when the server
// is there again. Whoever is first does not bury the others.
func TestNodesComeBackTogetherAfterAnOutage(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		a, _ := servers.Wired(s, nats.Options{})
		inA := servers.Begin(t, a, "a")
		defer servers.CloseNode(t, a)
		b, wire := servers.Wired(s, nats.Options{})
		servers.Begin(t, b, "b")
		defer servers.CloseNode(t, b)
		c, cut := servers.Wired(s, nats.Options{})
		servers.Begin(t, c, "c")
		defer servers.CloseNode(t, c)
		time.Sleep(5 * time.Second)
		_, before := inA.Since(0)
		s.Stop()
		cut.Cut()  // this one does not come back
		wire.Cut() // this one comes late
		time.Sleep(time.Minute)
		s.Start(t)
		back := time.Now()
		time.Sleep(3 * time.Second)
		wire.Mend()
		time.Sleep(30 * time.Second)
		came, _ := inA.Since(before)
		up := slices.Index(came, "up b")
		if up < 1 || came[up-1] != "down b" {
			t.Errorf("b ends its old life and begins a new one apart: %q", came)
		}
		if d := inA.When("down b", back); d < 3*time.Second {
			t.Errorf("b was buried after %v", d)
		}
		if d := inA.When("down c", back); d < 9*time.Second || d > 20*time.Second {
			t.Errorf("c, which is gone, was buried after %v", d)
		}
	})
}

// TestManySharesAreWrittenAnewSoon: not a thousand at each renewal of the lease.
func TestManySharesAreWrittenAnewSoon(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		lost, wire := servers.Wired(s, nats.Options{})
		servers.Begin(t, lost, "lost")
		defer servers.CloseNode(t, lost)
		const rooms = 3500
		for i := range rooms {
			share(t, lost, fmt.Sprint("r", i), 1)
		}
		wire.Cut()
		time.Sleep(time.Minute)
		wire.Mend()
		time.Sleep(4 * time.Second)
		for i := range rooms {
			if n := members(t, s.node, fmt.Sprint("r", i)); n != 1 {
				t.Fatalf("room %d has %d members", i, n)
			}
		}
	})
}
