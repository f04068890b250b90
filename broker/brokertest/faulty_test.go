package brokertest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
)

func TestFaultyWithoutFaultsKeepsTheContract(t *testing.T) {
	brokertest.Run(t, func(*testing.T) *brokertest.Store {
		now := time.Now()
		c := memory.NewCluster(&memory.Options{Now: func() time.Time { return now }})
		return &brokertest.Store{
			Node:     func() broker.Broker { return brokertest.Faulty(c.Node(), 1, brokertest.Faults{}) },
			Advance:  func(d time.Duration) { now = now.Add(d) },
			LoseTail: func(room string, n int) { c.LoseTail(room, n) },
		}
	})
}

func TestSeedRepeatsFaults(t *testing.T) {
	run := func(seed uint64) (string, brokertest.FaultCounts) {
		in := &brokertest.Inbox{}
		b := brokertest.Faulty(memory.New(nil), seed, brokertest.Faults{Drop: 0.2, Repeat: 0.2, Hold: 0.2, Unknown: 0.2, Refuse: 0.2, Stale: 0.5, StaleHeads: 0.5})
		if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
			t.Fatal(err)
		}
		for b.Counts().Refused < 1 {
			if _, err := b.Open(t.Context(), []string{"r"}); err == nil {
				break
			}
		}
		outcome := ""
		for i := range 50 {
			_, err := b.Publish(t.Context(), "r", fmt.Append(nil, i), broker.PublishOptions{})
			outcome += fmt.Sprint(err)
			_, err = b.Read(t.Context(), "r", broker.Range{})
			outcome += fmt.Sprint(err)
			heads, _, err := b.Heads(t.Context(), []string{"r"}, "")
			outcome += fmt.Sprint(len(heads), err)
		}
		b.Flush()
		for _, m := range in.Messages("r") {
			outcome += fmt.Sprint(m.Position.Offset, " ")
		}
		return outcome, b.Counts()
	}
	first, counts := run(1)
	if again, _ := run(1); again != first {
		t.Error("the same seed gives another run")
	}
	if other, _ := run(2); other == first {
		t.Error("another seed gives the same run")
	}
	for i, n := range []int{counts.Dropped, counts.Repeated, counts.Held, counts.Unknown, counts.Refused, counts.Stale} {
		if n == 0 {
			t.Errorf("fault %d never happened", i)
		}
	}
}

func TestCutLosesAndMendSaysSo(t *testing.T) {
	in := &brokertest.Inbox{}
	c := memory.NewCluster(nil)
	b, other := brokertest.Faulty(c.Node(), 1, brokertest.Faults{}), c.Node()
	if err := b.Start(t.Context(), broker.Node{ID: "n"}, in); err != nil {
		t.Fatal(err)
	}
	if err := other.Start(t.Context(), broker.Node{ID: "m"}, &brokertest.Inbox{}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open(t.Context(), []string{"r"}); err != nil {
		t.Fatal(err)
	}
	var at []uint64
	for i := range 3 {
		switch i {
		case 1:
			b.Cut()
			if _, err := b.Open(t.Context(), []string{"r"}); err == nil {
				t.Error("a cut broker answers")
			}
		case 2:
			b.Mend()
		}
		if _, err := other.Publish(t.Context(), "r", nil, broker.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range in.Messages("r") {
		at = append(at, m.Position.Offset)
	}
	if !slices.Equal(at, []uint64{1, 3}) {
		t.Errorf("delivered %v", at)
	}
	if !slices.Equal(in.States(), []broker.State{broker.Connected, broker.Down, broker.Connected}) || in.UncertainCount() != 1 {
		t.Errorf("states %v, %d times uncertain", in.States(), in.UncertainCount())
	}
}
