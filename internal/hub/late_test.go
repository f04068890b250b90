package hub_test

import (
	"fmt"
	"testing"

	"github.com/finch-go/finch/internal/hub"
)

// counting is a Sink that counts what it is asked to take.
type counting struct {
	nowhere
	pushes *int
	takes  bool
}

func (c counting) Push([][]byte) bool {
	*c.pushes++
	return c.takes
}

// TestWhoTakesNothingCostsNothing counts what is done for a message while very
// many members never take any: a walk among all of them would be several steps.
func TestWhoTakesNothingCostsNothing(t *testing.T) {
	for _, p := range []hub.Policy{hub.Close, hub.Resync, hub.Latest} {
		t.Run(fmt.Sprint("policy ", p), func(t *testing.T) {
			const many, messages = 5000, 200
			h := hub.New(hub.Options{LogBytes: 128 * messages / 4})
			asked, taken := 0, 0
			people(h, room("blue"), p, many, counting{pushes: &asked})
			people(h, room("blue"), p, 1, counting{pushes: &taken, takes: true})
			msg, steps := payload, 0
			msg.Key = "k"
			for range messages {
				h.Send(room("blue"), msg, nil)
				for h.Step() {
					steps++
				}
			}
			if taken != messages || asked != many {
				t.Errorf("the one who takes was asked %d times for %d messages, the others %d", taken, messages, asked)
			}
			most := messages + 5*many/1024 + 5
			if p == hub.Latest { // they are walked to once after each compaction
				most += 5 * 5
			}
			if steps > most {
				t.Errorf("%d messages took %d steps", messages, steps)
			}
		})
	}
}

// meddler is a Sink during whose first Push something happens.
type meddler struct {
	reader
	meddle func()
}

func (m *meddler) Push(pieces [][]byte) bool {
	if meddle := m.meddle; meddle != nil {
		m.meddle = nil
		meddle()
	}
	return m.reader.Push(pieces)
}

func TestWhatIsSentDuringACatchUpArrives(t *testing.T) {
	h := hub.New(hub.Options{})
	r := new(meddler)
	m := &hub.Member{ID: "1", Sink: r}
	h.Add(m)
	r.busy = true
	h.Send(hub.Address{}, message("a"), nil)
	settle(h)
	r.meddle = func() { h.Send(hub.Address{}, message("b"), nil) } // as another goroutine might, just now
	writable(h, m, &r.reader)
	settle(h)
	want(t, &r.reader, "a", "b")
	if h.Pinned() != 0 {
		t.Errorf("pinned %d", h.Pinned())
	}
}

func TestWhoIsForgottenDuringAWalkGetsNothing(t *testing.T) {
	h := hub.New(hub.Options{})
	r := new(meddler)
	first := &hub.Member{ID: "1", Sink: r}
	h.Add(first)
	second, got := add(h, "2", "")
	third, _ := add(h, "3", "")
	for _, m := range []*hub.Member{first, second, third} {
		enter(t, h, m, room("blue"), hub.Resync)
	}
	r.meddle = func() { h.Forget(second, room("blue")) } // as another goroutine might, just now
	h.Send(room("blue"), message("a"), nil)
	settle(h)
	want(t, got)
	if h.Pinned() != 0 || h.Count(room("blue")) != 2 {
		t.Errorf("pinned %d, count %d", h.Pinned(), h.Count(room("blue")))
	}
}
