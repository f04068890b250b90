// Package brokertest tests brokers, and what stands on them.
//
// Run is the contract of package broker as a test, for whoever implements one:
//
//	func TestBroker(t *testing.T) {
//		brokertest.Run(t, func(t *testing.T) *brokertest.Store {
//			c := memory.NewCluster(nil)
//			return &brokertest.Store{Node: func() broker.Broker { return c.Node() }}
//		})
//	}
//
// Faulty wraps a broker and does to it what networks and stores do: it loses,
// repeats, holds back and swaps deliveries, loses answers, refuses calls and
// answers from the past, by a seed that repeats the run.
package brokertest
