package embedded_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
	natsgo "github.com/nats-io/nats.go"
)

// TestKilledServersLoseNothing kills servers of a cluster while nodes publish and
// read, the leader among them, and loses live messages besides. What was
// acknowledged is shown on every node once, in order, and nobody starts anew.
func TestKilledServersLoseNothing(t *testing.T) {
	t.Parallel() // it waits most of its time
	p := servers.NewProcesses(t, 3)
	profile := broker.Profile{Size: 10_000}
	rooms := []string{"a", "b", "c", "d", "e", "f", "quiet 1", "quiet 2"}
	var readers []*reader
	for i := range 3 {
		r := newReader(t, nats.New(nats.Options{URL: p.URLs(), Partitions: 2, Replicas: 3, Logger: servers.Quiet}), fmt.Sprintf("n%d", i), profile)
		r.drop = 0.01
		r.join(t, rooms...)
		readers = append(readers, r)
	}
	conn, err := natsgo.Connect(p.URLs(), natsgo.MaxReconnects(-1), natsgo.ReconnectWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	var w writer
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(rand.IntN(10)) * time.Millisecond):
				}
				room := rooms[rand.IntN(6)]
				if n%100 == 50 {
					room = rooms[6+rand.IntN(2)]
				}
				if err := w.publish(t.Context(), readers[i%3].b, room, fmt.Sprint(i, "-", n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for round, stream := range []string{"finch_h_=_0", "finch_h_=_1"} {
		servers.Eventually(t, "some work", func() bool { return w.count() >= 300*(round+1) })
		var info struct{ Cluster struct{ Leader string } }
		servers.API(t, conn, "STREAM.INFO."+stream, nil, &info)
		victim := int(info.Cluster.Leader[1] - '0')
		p.Kill(victim)
		t.Logf("round %d: killed %s, the leader of %s", round, info.Cluster.Leader, stream)
		before := w.count()
		servers.Eventually(t, "a publish to every partition after the kill", func() bool { return w.count() >= before+50 })
		p.Restart(victim, conn, "finch_h_=_0", "finch_h_=_1")
	}
	close(stop)
	wg.Wait()
	for i, r := range readers {
		for _, room := range rooms {
			want := w.want(room)
			servers.Eventually(t, fmt.Sprintf("all of %s on node %d", room, i), func() bool { return len(r.shown(room)) >= len(want) })
			if got := r.shown(room); !slices.Equal(got, want) {
				t.Errorf("node %d was shown %d messages of %s, in another order or others than the %d that were acknowledged", i, len(got), room, len(want))
			}
		}
		r.mu.Lock()
		if len(r.restarts) > 0 {
			t.Errorf("node %d began anew: %q", i, r.restarts)
		}
		t.Logf("node %d: %d deliveries lost on purpose", i, r.dropped)
		r.mu.Unlock()
	}
	t.Logf("%d acknowledged, %d tries failed, %d acknowledged as repetitions", w.count(), w.tries, w.again)
}

func (w *writer) count() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, room := range w.acked {
		n += len(room)
	}
	return n
}
