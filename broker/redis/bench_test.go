package redis_test

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/redis"
)

// A deafSink takes everything and keeps nothing.
type deafSink struct {
	brokertest.Inbox
	delivered chan broker.Message // if not nil
}

func (s *deafSink) Deliver(m broker.Message) {
	if s.delivered != nil {
		s.delivered <- m
	}
}

func benchmarkNode(b *testing.B, s *server, id string, sink broker.Sink) *redis.Broker {
	b.Helper()
	o := redis.Options{Addresses: []string{s.address()}, Logger: slog.New(slog.DiscardHandler)}
	return started(b, o, id, sink)
}

// durably keeps what is published in a file, as a server in production does.
func durably(b *testing.B) *server {
	s := newServer(b)
	s.launch("--save", "", "--appendonly", "yes", "--appendfsync", "everysec")
	s.awaitReady()
	return s
}

var payload = make([]byte, 200)

func benchmarkPublish(b *testing.B, room func(n int64) string, options func(n int64) broker.PublishOptions) {
	node := benchmarkNode(b, durably(b), "n", &deafSink{})
	var count atomic.Int64
	b.SetParallelism(128)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			n := count.Add(1)
			if _, err := node.Publish(b.Context(), room(n), payload, options(n)); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "publishes/s")
}

func without(int64) broker.PublishOptions { return broker.PublishOptions{} }

func BenchmarkPublishToHotRooms(b *testing.B) {
	benchmarkPublish(b, func(n int64) string { return "hot-" + strconv.Itoa(int(n%16)) }, without)
}

func BenchmarkPublishToNewRooms(b *testing.B) {
	benchmarkPublish(b, func(n int64) string { return "new-" + strconv.FormatInt(n, 10) }, without)
}

func BenchmarkPublishWithKeys(b *testing.B) {
	benchmarkPublish(b, func(n int64) string { return "hot-" + strconv.Itoa(int(n%16)) }, func(n int64) broker.PublishOptions {
		return broker.PublishOptions{Key: strconv.FormatInt(n, 10), Publisher: "ada"}
	})
}

// BenchmarkPublishToDelivery is from the call on one node to the sink of another,
// one message at a time.
func BenchmarkPublishToDelivery(b *testing.B) {
	s := durably(b)
	sink := &deafSink{delivered: make(chan broker.Message, 1)}
	from, to := benchmarkNode(b, s, "from", &deafSink{}), benchmarkNode(b, s, "to", sink)
	open(b, to, "r")
	took := make([]time.Duration, 0, b.N)
	b.ResetTimer()
	for range b.N {
		began := time.Now()
		if _, err := from.Publish(b.Context(), "r", payload, broker.PublishOptions{}); err != nil {
			b.Fatal(err)
		}
		<-sink.delivered
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

var usedMemory = regexp.MustCompile(`used_memory:(\d+)`)

func memoryOf(b *testing.B, s *server) int {
	b.Helper()
	found := usedMemory.FindStringSubmatch(s.do("INFO", "memory"))
	n, err := strconv.Atoi(found[1])
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// manyRooms is for how many rooms the benchmarks of memory and of heads are.
const manyRooms = 100_000

func publishToMany(b *testing.B, node *redis.Broker, rooms []string, o func(n int) broker.PublishOptions) {
	b.Helper()
	var next atomic.Int64
	done := make(chan error, 128)
	for range cap(done) {
		go func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(rooms) {
					done <- nil
					return
				}
				if _, err := node.Publish(b.Context(), rooms[n], payload, o(n)); err != nil {
					done <- err
					return
				}
			}
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkMemoryOfRooms is what a server holds for each room that has one message
// of 200 bytes: its head, its history, and with keys the publish key.
func BenchmarkMemoryOfRooms(b *testing.B) {
	for _, keys := range []bool{false, true} {
		b.Run(fmt.Sprintf("keys=%v", keys), func(b *testing.B) {
			for range b.N {
				s := startServer(b)
				node := benchmarkNode(b, s, "n", &deafSink{})
				before := memoryOf(b, s)
				publishToMany(b, node, names("room", manyRooms), func(n int) broker.PublishOptions {
					if keys {
						return broker.PublishOptions{Key: strconv.Itoa(n), Publisher: "ada"}
					}
					return broker.PublishOptions{}
				})
				b.ReportMetric(float64(memoryOf(b, s)-before)/manyRooms, "B/room")
			}
		})
	}
}

// BenchmarkManyRooms opens very many rooms and looks at their heads.
func BenchmarkManyRooms(b *testing.B) {
	s := startServer(b)
	node := benchmarkNode(b, s, "n", &deafSink{})
	rooms := names("room", manyRooms)
	publishToMany(b, node, rooms, func(int) broker.PublishOptions { return broker.PublishOptions{} })
	b.Run("open", func(b *testing.B) {
		for range b.N {
			open(b, node, rooms...)
			b.StopTimer()
			node.Release(rooms)
			until(b, "all are released", func() bool { return len(s.list("PUBSUB", "SHARDCHANNELS")) == 3 })
			b.StartTimer()
		}
	})
	b.Run("heads", func(b *testing.B) {
		open(b, node, rooms...)
		_, mark, err := node.Heads(b.Context(), rooms, "")
		if err != nil {
			b.Fatal(err)
		}
		for b.Loop() {
			changed, next, err := node.Heads(b.Context(), rooms, mark)
			if err != nil || len(changed) != 0 {
				b.Fatalf("%d changed, %v", len(changed), err)
			}
			mark = next
		}
	})
}
