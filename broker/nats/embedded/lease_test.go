package embedded_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
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

func closeNode(t testing.TB, b broker.Broker) {
	t.Helper()
	if err := b.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestNodeThatIsCutOffIsGoneWhenItsLeaseEnds(t *testing.T) {
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		steady, _ := wired(s, nats.Options{})
		in := begin(t, steady, "steady")
		defer closeNode(t, steady)
		lost, wire := wired(s, nats.Options{})
		box := begin(t, lost, "lost")
		defer closeNode(t, lost)
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
		if d := in.when("down lost", cut); d < 6*time.Second || d > 11*time.Second {
			t.Errorf("the end of the lease was told after %v", d)
		}
		if n := members(t, steady, "r"); n != 1 {
			t.Errorf("%d members, those of a dead node among them", n)
		}
		if d := box.when("down steady", cut); d >= 0 {
			t.Error("the node that is cut off calls the other one gone")
		}
		if n := len(lost.Nodes()); n != 3 {
			t.Errorf("the node that is cut off knows %d nodes, not the 3 that it knew", n)
		}
		mended := time.Now()
		wire.Mend()
		time.Sleep(15 * time.Second)
		if d := in.when("up lost", mended); d < 0 || d > 2*time.Second {
			t.Errorf("the node that came back was told after %v", d)
		}
		if again := lost.Nodes()[0]; again.ID != "lost" || again.Incarnation == first.Incarnation {
			t.Errorf("it came back as %+v, before %+v", again, first)
		}
		if n := members(t, steady, "r"); n != 11 {
			t.Errorf("%d members after the shares were written anew", n)
		}
		if came, _ := box.since(0); slices.Contains(came, "down steady") {
			t.Error("the node that was cut off called the other one gone afterwards")
		}
		want := []broker.State{broker.Connected, broker.Down, broker.Degraded, broker.Connected}
		if got := box.States(); !slices.Equal(got, want) && !slices.Equal(got, []broker.State{broker.Connected, broker.Down, broker.Connected}) {
			t.Errorf("its states were %v", got)
		}
	})
}

func TestSharesOfADeadNodeAreClearedAway(t *testing.T) {
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		lost, wire := wired(s, nats.Options{})
		begin(t, lost, "lost")
		defer closeNode(t, lost)
		share(t, lost, "r", 10)
		conn := connect(t, s)
		count := func() int {
			var info struct {
				State struct{ Subjects map[string]int }
			}
			api(t, conn, "STREAM.INFO.finch_shares", map[string]string{"subjects_filter": "finch.share.*.lost"}, &info)
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
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		first, _ := wired(s, nats.Options{})
		begin(t, first, "n")
		defer closeNode(t, first)
		second, _ := wired(s, nats.Options{})
		begun := time.Now()
		err := second.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{})
		if err == nil || !strings.Contains(err.Error(), "another node lives") {
			t.Errorf("the second one: %v", err)
		}
		if d := time.Since(begun); d > 5*time.Second {
			t.Errorf("that was found after %v", d)
		}
		publish(t, first, "r", "still there", broker.PublishOptions{})
	})
}

func TestKilledNodeStartsAgainUnderItsID(t *testing.T) {
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		first, wire := wired(s, nats.Options{})
		begin(t, first, "n")
		share(t, first, "r", 5)
		wire.Cut() // for ever: this life of the node is over
		second, _ := wired(s, nats.Options{})
		begun := time.Now()
		begin(t, second, "n")
		defer closeNode(t, second)
		if d := time.Since(begun); d > 11*time.Second {
			t.Errorf("it waited %v for a lease of 10 s", d)
		}
		if n := members(t, second, "r"); n != 0 {
			t.Errorf("its earlier life has %d members", n)
		}
		closeNode(t, first)
	})
}

// TestNodesComeBackTogetherAfterAnOutage: all leases have ended when the server
// is there again. Whoever is first does not bury the others.
func TestNodesComeBackTogetherAfterAnOutage(t *testing.T) {
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		a, _ := wired(s, nats.Options{})
		inA := begin(t, a, "a")
		defer closeNode(t, a)
		b, wire := wired(s, nats.Options{})
		begin(t, b, "b")
		defer closeNode(t, b)
		c, cut := wired(s, nats.Options{})
		begin(t, c, "c")
		defer closeNode(t, c)
		time.Sleep(5 * time.Second)
		_, before := inA.since(0)
		s.StopServer()
		cut.Cut()  // this one does not come back
		wire.Cut() // this one comes late
		time.Sleep(time.Minute)
		if err := s.StartServer(); err != nil {
			t.Fatal(err)
		}
		back := time.Now()
		time.Sleep(3 * time.Second)
		wire.Mend()
		time.Sleep(30 * time.Second)
		came, _ := inA.since(before)
		up := slices.Index(came, "up b")
		if up < 1 || came[up-1] != "down b" {
			t.Errorf("b ends its old life and begins a new one apart: %q", came)
		}
		if d := inA.when("down b", back); d < 3*time.Second {
			t.Errorf("b was buried after %v", d)
		}
		if d := inA.when("down c", back); d < 9*time.Second || d > 20*time.Second {
			t.Errorf("c, which is gone, was buried after %v", d)
		}
	})
}
