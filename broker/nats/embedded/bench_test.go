package embedded_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// A deaf sink costs nothing, but for what the benchmark wants to hear.
type deaf struct {
	broker.Sink
	heard func(broker.Message)
}

func (d deaf) Deliver(m broker.Message) {
	if d.heard != nil {
		d.heard(m)
	}
}
func (deaf) State(broker.State, error)     {}
func (deaf) Uncertain(broker.Scope, error) {}
func (deaf) NodeUp(broker.NodeState)       {}
func (deaf) NodeDown(broker.NodeState)     {}

// stores runs a benchmark on each kind of store. Node makes one more node, on
// another server if there is one.
func stores(b *testing.B, run func(b *testing.B, node func(sink broker.Sink) broker.Broker)) {
	nodes := func(b *testing.B, next func() broker.Broker) func(broker.Sink) broker.Broker {
		n := 0
		return func(sink broker.Sink) broker.Broker {
			n++
			node := next()
			if err := node.Start(b.Context(), broker.Node{ID: fmt.Sprint("n", n)}, sink); err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { node.Close(context.Background()) })
			return node
		}
	}
	b.Run("embedded", func(b *testing.B) {
		first := embedded.New(embedded.Options{Dir: b.TempDir(), Logger: servers.Quiet})
		used := false
		run(b, nodes(b, func() broker.Broker {
			if used {
				return first.Node()
			}
			used = true
			return first
		}))
	})
	for _, n := range []int{1, 3} {
		b.Run(fmt.Sprintf("servers=%d", n), func(b *testing.B) {
			c := servers.NewCluster(b, n, nil)
			i := 0
			run(b, nodes(b, func() broker.Broker {
				i++
				return nats.New(nats.Options{URL: c.URL(i % n), Logger: servers.Quiet})
			}))
		})
	}
}

func BenchmarkPublish(b *testing.B) {
	stores(b, func(b *testing.B, node func(broker.Sink) broker.Broker) {
		n := node(deaf{})
		data := make([]byte, 200)
		for _, key := range []string{"", "key"} {
			b.Run("key="+key, func(b *testing.B) {
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					o := broker.PublishOptions{}
					if i++; key != "" {
						o.Key = fmt.Sprint(time.Now().UnixNano(), i)
					}
					if _, err := n.Publish(b.Context(), "r", data, o); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("goroutines=256", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(256 / runtime.GOMAXPROCS(0))
			b.RunParallel(func(pb *testing.PB) {
				room := fmt.Sprint("room ", time.Now().UnixNano()%100)
				for pb.Next() {
					if _, err := n.Publish(b.Context(), room, data, broker.PublishOptions{}); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publishes/s")
		})
	})
}

// BenchmarkDelivery measures from the call of Publish on one node to Deliver on
// another.
func BenchmarkDelivery(b *testing.B) {
	stores(b, func(b *testing.B, node func(broker.Sink) broker.Broker) {
		heard := make(chan struct{}, 1)
		reader := node(deaf{heard: func(broker.Message) { heard <- struct{}{} }})
		writer := node(deaf{})
		if _, err := reader.Open(b.Context(), []string{"r"}); err != nil {
			b.Fatal(err)
		}
		data := make([]byte, 200)
		var took []time.Duration
		for b.Loop() {
			begun := time.Now()
			if _, err := writer.Publish(b.Context(), "r", data, broker.PublishOptions{}); err != nil {
				b.Fatal(err)
			}
			<-heard
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
		b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
	})
}

// BenchmarkOpen opens 100,000 quiet rooms in batches of 1,000, looks at all their
// heads, and says what each costs the node in memory.
func BenchmarkOpen(b *testing.B) {
	stores(b, func(b *testing.B, node func(broker.Sink) broker.Broker) {
		const rooms, each = 100_000, 1000
		names := make([]string, rooms)
		for i := range names {
			names[i] = fmt.Sprintf("room-%07d", i)
		}
		n := node(deaf{})
		for b.Loop() {
			before := heap()
			begun := time.Now()
			for batch := range slices.Chunk(names, each) {
				if _, err := n.Open(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(time.Since(begun).Seconds(), "open-s")
			// The server in this process holds them too.
			b.ReportMetric(float64(int(heap())-int(before))/rooms, "B/room")
			begun = time.Now()
			_, mark, err := n.Heads(b.Context(), names, "")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(begun).Seconds(), "heads-s")
			begun = time.Now()
			if _, _, err := n.Heads(b.Context(), names, mark); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(begun).Seconds(), "recheck-s")
			n.Release(names)
		}
	})
}

// BenchmarkOpenOne opens a room for which somebody came.
func BenchmarkOpenOne(b *testing.B) {
	stores(b, func(b *testing.B, node func(broker.Sink) broker.Broker) {
		n := node(deaf{})
		i := 0
		for b.Loop() {
			i++
			if _, err := n.Open(b.Context(), []string{fmt.Sprint("r", i)}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRead reads the last hundred messages of a room.
func BenchmarkRead(b *testing.B) {
	stores(b, func(b *testing.B, node func(broker.Sink) broker.Broker) {
		n := node(deaf{})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { n.Publish(b.Context(), "r", make([]byte, 200), broker.PublishOptions{}) })
		}
		wg.Wait()
		for b.Loop() {
			if page, err := n.Read(b.Context(), "r", broker.Range{}); err != nil || len(page.Messages) != 100 {
				b.Fatal(len(page.Messages), err)
			}
		}
	})
}

func heap() uint64 {
	var m runtime.MemStats
	for range 3 { // pools let go of what they have in the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
