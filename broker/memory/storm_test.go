package memory_test

import (
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/memory"
)

func TestNothingIsLostInAStorm(t *testing.T) {
	c := memory.NewCluster(nil)
	var nodes []broker.Broker
	var faulty []*brokertest.FaultyBroker
	for seed := range uint64(3) {
		b := brokertest.Faulty(c.Node(), seed, brokertest.Faults{})
		nodes, faulty = append(nodes, b), append(faulty, b)
	}
	storm := brokertest.Storm{Nodes: nodes, Disturb: func() {
		for _, b := range faulty {
			b.SetFaults(brokertest.Faults{Drop: 0.05, Repeat: 0.05, Hold: 0.05, Unknown: 0.05, Refuse: 0.05})
		}
		faulty[0].Cut()
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			n := faulty[1].Counts()
			if n.Dropped > 50 && n.Unknown > 50 && n.Refused > 50 {
				break
			}
		}
		faulty[0].Mend()
		for _, b := range faulty {
			b.SetFaults(brokertest.Faults{})
			b.Flush()
		}
	}}
	report := storm.Run(t)
	t.Log(report)
	if report.Tries == 0 || report.Duplicates == 0 || report.Uncertain == 0 {
		t.Errorf("the storm was a calm: %v", report)
	}
}
