package memory_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
)

// clock is moved by hand.
type clock struct{ time time.Time }

func newClock() *clock                { return &clock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)} }
func (c *clock) now() time.Time       { return c.time }
func (c *clock) pass(d time.Duration) { c.time = c.time.Add(d) }

func TestMemoryKeepsTheContract(t *testing.T) {
	for _, alone := range []bool{false, true} {
		name := "several nodes"
		if alone {
			name = "one node"
		}
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(*testing.T) *brokertest.Store {
				clock := newClock()
				c := memory.NewCluster(&memory.Options{Now: clock.now})
				return &brokertest.Store{
					Node:     func() broker.Broker { return c.Node() },
					Advance:  clock.pass,
					LoseTail: func(room string, n int) { c.LoseTail(room, n) },
					Alone:    alone,
				}
			})
		})
	}
}

func TestMemoryRunsInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := memory.New(nil)
		if err := b.Start(t.Context(), broker.Node{ID: "n"}, &brokertest.Inbox{}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Publish(t.Context(), "r", []byte("1"), broker.PublishOptions{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(broker.DefaultProfile.Age)
		page, err := b.Read(t.Context(), "r", broker.Range{})
		if err != nil || len(page.Messages) != 0 {
			t.Errorf("an aged message is still there: %v, %v", page.Messages, err)
		}
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
