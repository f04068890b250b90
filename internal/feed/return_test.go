package feed_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
	"github.com/finch-go/finch/internal/feed"
)

// soon is how long a member that returns may wait for an answer while the broker
// answers.
const soon = 2 * time.Second

func TestMemberThatKnowsMoreThanItsNodeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewCluster(nil)
		ahead := startProcess(t, c, "ahead", 1, brokertest.Faults{})
		behind := startProcess(t, c, "behind", 2, brokertest.Faults{})
		defer ahead.close(t)
		defer behind.close(t)
		hops, stays := &reader{}, &reader{}
		hops.join(t, ahead, "r")
		synctest.Wait()
		ahead.publish("r", "1")
		stays.join(t, behind, "r")
		synctest.Wait()
		behind.faulty.SetFaults(brokertest.Faults{Drop: 1, StaleHeads: 1})
		ahead.publish("r", "2")
		ahead.publish("r", "3") // the head that is now told there is that of 1
		if len(stays.got) != 0 {
			t.Fatalf("the node that is behind is not: %q", stays.got)
		}
		hops.leave(ahead, "r")
		hops.join(t, behind, "r")
		time.Sleep(soon)
		if _, restarts := hops.heard(); !hops.attached() || len(restarts) != 0 {
			t.Errorf("it is attached: %v; it was restarted: %q", hops.attached(), restarts)
		}
		if got, restarts := stays.heard(); !slices.Equal(got, []string{"2", "3"}) || len(restarts) != 0 {
			t.Errorf("by its coming the other got %q and was restarted: %q", got, restarts)
		}
		behind.faulty.SetFaults(brokertest.Faults{})
		ahead.publish("r", "4")
		if got, _ := hops.heard(); !slices.Equal(got, []string{"1", "2", "3", "4"}) {
			t.Errorf("all in all it got %q", got)
		}
	})
}

func TestMemberOfAnEpochThatItsNodeDoesNotKnowYetGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := memory.NewCluster(nil)
		ahead := startProcess(t, c, "ahead", 1, brokertest.Faults{})
		behind := startProcess(t, c, "behind", 2, brokertest.Faults{})
		defer ahead.close(t)
		defer behind.close(t)
		hops, stays := &reader{}, &reader{}
		stays.join(t, behind, "r")
		ahead.publish("r", "1")
		synctest.Wait()
		behind.faulty.Cut() // it is not told of the purge
		if err := ahead.b.Purge(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		hops.join(t, ahead, "r")
		synctest.Wait()
		ahead.publish("r", "2")
		behind.faulty.Mend()
		hops.leave(ahead, "r")
		hops.join(t, behind, "r")
		time.Sleep(soon)
		if got, restarts := hops.heard(); !hops.attached() || len(restarts) != 0 || !slices.Equal(got, []string{"2"}) {
			t.Errorf("it is attached: %v; it got %q and was restarted: %q", hops.attached(), got, restarts)
		}
		if _, restarts := stays.heard(); !slices.Equal(restarts, []feed.Reason{feed.Forgotten}) {
			t.Errorf("the other was restarted: %q", restarts)
		}
	})
}

func TestPositionThatIsNotOfTheRoomIsRestartedSoon(t *testing.T) {
	here := broker.Position{Offset: 3}
	tests := []struct {
		name string
		from broker.Position // the epoch, if empty, is the room's; the tag, if zero, 7
		want feed.Reason
	}{
		{"from the future", broker.Position{Offset: 100}, feed.Ahead},
		{"from a far future", broker.Position{Offset: 1 << 63}, feed.Ahead},
		{"of another epoch", broker.Position{Epoch: "other", Offset: here.Offset}, feed.Forgotten},
		{"of another message", here, feed.Forked},
		{"of another message, long ago", broker.Position{Offset: 1}, feed.Forked},
	}
	for _, busy := range []bool{false, true} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%s, busy %v", tt.name, busy), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					p := startProcess(t, memory.NewCluster(nil), "n", 1, brokertest.Faults{})
					defer p.close(t)
					p.publish("r", "1")
					p.publish("r", "2")
					other, forger := &reader{}, &reader{}
					other.join(t, p, "r")
					synctest.Wait()
					at := p.publish("r", "3")
					forger.last = tt.from
					forger.last.Tag = 7
					if tt.from.Epoch == "" {
						forger.last.Epoch = at.Epoch
					}
					forger.join(t, p, "r")
					for range 40 {
						time.Sleep(soon / 40)
						if busy {
							p.publish("r", "more")
						}
					}
					if _, restarts := forger.heard(); !slices.Equal(restarts, []feed.Reason{tt.want}) {
						t.Errorf("restarted: %q", restarts)
					}
					if _, restarts := other.heard(); len(restarts) != 0 {
						t.Errorf("another member was restarted: %q", restarts)
					}
				})
			})
		}
	}
}
