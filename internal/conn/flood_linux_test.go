package conn_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/frame"
)

// TestAFloodDoesNotSlowTheNeighbours lets a few connections send as much as
// they can, and one more than its handler takes, while others on the same
// poller ask and wait for their answer. The bound is generous, for machines
// that do other things too; a poller that serves a flood until it ends is far
// beyond it.
func TestAFloodDoesNotSlowTheNeighbours(t *testing.T) {
	const floods, neighbours, questions = 3, 5, 40
	s := alone(t)
	cfg := quiet()
	stop := make(chan struct{})
	defer close(stop)
	for i := range floods {
		own := &flooded{stamped: stamped{over: make(chan struct{})}}
		if i == 0 {
			own.hold = stop // its inbox fills, and it is not read
		}
		server, client := tcpPair(t)
		c := s.engine.New(server, nil, cfg.Ready(), own)
		c.Start(nil)
		t.Cleanup(c.Abort)
		many := bytes.Repeat(masked(frame.Binary, filler(1000)), 100)
		go func() {
			for {
				if _, err := client.Write(many); err != nil {
					return
				}
			}
		}()
		t.Cleanup(func() { client.Close() })
	}
	var waits []time.Duration
	for range neighbours {
		own := newOwner(t)
		own.onReceived = own.echo
		r := s.serve(t, quiet(), own)
		for range questions {
			asked := time.Now()
			r.peer.text("?")
			r.peer.expectText("?")
			waits = append(waits, time.Since(asked))
		}
	}
	slices.Sort(waits)
	median, worst := waits[len(waits)/2], waits[len(waits)-1]
	t.Logf("median %v, worst %v of %d", median, worst, len(waits))
	if median > 500*time.Millisecond {
		t.Errorf("neighbours of a flood wait %v, the median", median)
	}
}

// flooded owns a connection that gets more messages than a diary should hold.
type flooded struct {
	stamped
	hold chan struct{} // nil: every message is handled at once
}

func (o *flooded) Received(frame.Opcode, []byte) {
	if o.hold != nil {
		<-o.hold
	}
}
