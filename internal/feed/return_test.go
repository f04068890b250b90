package feed_test

import (
	"fmt"
	"math/rand/v2"
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

// A lagging node is one that stays behind another: its replica answers as it did
// before, four times for each question, and what is delivered to it is lost.
type lagging struct {
	*process // the node that is behind
	replica  *replica
	cluster  *memory.Cluster
	ahead    *process
	stays    *reader // on the node that is behind
}

// newLagging has a room of one message, which both nodes know.
func newLagging(t *testing.T) *lagging {
	l := &lagging{cluster: memory.NewCluster(nil), stays: &reader{}}
	l.ahead = startProcess(t, l.cluster, "ahead", 1, brokertest.Faults{})
	l.replica = newReplica(l.cluster.Node(), rand.New(rand.NewPCG(1, 1)), 4)
	l.replica.once = true
	f := brokertest.Faulty(l.replica, 2, brokertest.Faults{})
	l.process = startOn(t, f, "behind")
	l.faulty = f
	l.ahead.publish("r", "1")
	l.stays.join(t, l.process, "r")
	synctest.Wait()
	f.SetFaults(brokertest.Faults{Drop: 1})
	l.replica.set(1, 1)
	return l
}

// hop brings a reader of the node that is ahead to the other, where it is to be
// attached soon, without a restart.
func (l *lagging) hop(t *testing.T, r *reader) {
	t.Helper()
	if top := l.runner.Top("r"); top == r.position() {
		t.Fatalf("the node that is behind is not: %v", top)
	}
	r.leave(l.ahead, "r")
	r.join(t, l.process, "r")
	time.Sleep(soon)
	if _, restarts := r.heard(); !r.attached() || len(restarts) != 0 {
		t.Errorf("it is attached: %v; it was restarted: %q", r.attached(), restarts)
	}
	l.faulty.SetFaults(brokertest.Faults{})
	l.ahead.publish("r", "last")
	if got, _ := r.heard(); len(got) == 0 || got[len(got)-1] != "last" {
		t.Errorf("all in all it got %q", got)
	}
	l.close(t)
	l.ahead.close(t)
}

func TestMemberThatKnowsMoreThanItsNodeGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := newLagging(t), &reader{}
		r.join(t, l.ahead, "r")
		synctest.Wait()
		l.ahead.publish("r", "2")
		l.ahead.publish("r", "3")
		l.hop(t, r)
		if got, restarts := l.stays.heard(); !slices.Equal(got, []string{"2", "3", "last"}) || len(restarts) != 0 {
			t.Errorf("the other got %q and was restarted: %q", got, restarts)
		}
	})
}

func TestMemberOfAnEpochThatItsNodeDoesNotKnowYetGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := newLagging(t), &reader{}
		if err := l.replica.purges("r"); err != nil {
			t.Fatal(err)
		}
		l.replica.most = 2 // reading is, by contract, not stale: not often
		l.faulty.Cut()     // it is not told
		if err := l.ahead.b.Purge(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		r.join(t, l.ahead, "r")
		synctest.Wait()
		l.ahead.publish("r", "2")
		l.faulty.Mend()
		l.hop(t, r)
		if _, restarts := l.stays.heard(); !slices.Equal(restarts, []feed.Reason{feed.Forgotten}) {
			t.Errorf("the other was restarted: %q", restarts)
		}
	})
}

func TestMemberOfAForkThatItsNodeDoesNotKnowYetGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, r := newLagging(t), &reader{}
		l.faulty.SetFaults(brokertest.Faults{})
		l.ahead.publish("r", "2")
		l.ahead.publish("r", "3")
		l.faulty.SetFaults(brokertest.Faults{Drop: 1})
		l.replica.set(0, 0)
		l.cluster.LoseTail("r", 2)
		if err := l.ahead.runner.Open(t.Context(), "r"); err != nil {
			t.Fatal(err)
		}
		r.join(t, l.ahead, "r")
		l.ahead.publish("r", "another 2")
		stands := r.position()
		r.lag(l.ahead, "r")
		l.ahead.publish("r", "another 3")
		if r.position() != stands {
			t.Fatal("it was not detached")
		}
		l.hop(t, r)
		if got, _ := r.heard(); !slices.Equal(got, []string{"another 2", "another 3", "last"}) {
			t.Errorf("it got %q", got)
		}
		if _, restarts := l.stays.heard(); !slices.Equal(restarts, []feed.Reason{feed.Forked}) {
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
