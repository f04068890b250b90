package hub_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/internal/hub"
)

// newGathering answers a hub whose room blue somebody is about to send to, some times,
// and takes a while for each; yields counts how often that was let run.
func newGathering(times int, take time.Duration) (h *hub.Hub, yields *int) {
	yields = new(int)
	h = hub.New(hub.Options{Yield: func() {
		if *yields++; *yields <= times {
			time.Sleep(take)
			h.Send(room("blue"), message(fmt.Sprint("later-", *yields)), nil)
		}
	}})
	return h, yields
}

// gathered are members in one room.
func gathered(t *testing.T, h *hub.Hub, n int) []*reader {
	t.Helper()
	readers := make([]*reader, n)
	for i := range readers {
		var m *hub.Member
		m, readers[i] = add(h, fmt.Sprint(i), "")
		if err := h.Enter(m, room("blue"), hub.Close); err != nil {
			t.Fatal(err)
		}
	}
	return readers
}

// Whoever is about to send to a room of many is let send before the walk begins: each
// member then gets all of it with one push.
func TestThoseAboutToSendToManyComeAlong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where they take no time
		h, yields := newGathering(5, 0)
		readers := gathered(t, h, 64)
		h.Send(room("blue"), message("first"), nil)
		settle(h)
		for i, r := range readers {
			if r.pushes != 1 {
				t.Errorf("member %d was pushed %d times", i, r.pushes)
			}
		}
		want(t, readers[0], "first", "later-1", "later-2", "later-3", "later-4", "later-5")
		if *yields != 6 {
			t.Errorf("others were let run %d times, want one more than they sent", *yields)
		}
		if h.Pinned() != 0 {
			t.Errorf("%d bytes are still pinned", h.Pinned())
		}
	})
}

func TestWalkOfFewWaitsForNobody(t *testing.T) {
	h, yields := newGathering(5, 0)
	readers := gathered(t, h, 63)
	h.Send(room("blue"), message("first"), nil)
	settle(h)
	if want(t, readers[0], "first"); *yields > 0 {
		t.Errorf("others were let run %d times", *yields)
	}
}

// Those who send without end, or take their time, do not hold up what is there.
func TestWalkBeginsWhileOthersGoOnSending(t *testing.T) {
	const members = 80
	for _, row := range []struct {
		take   time.Duration
		yields int
	}{
		{0, members / 8},
		{15 * time.Microsecond, 3}, // 40 us are there for them
		{time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			h, yields := newGathering(1000, row.take)
			readers := gathered(t, h, members)
			h.Send(room("blue"), message("first"), nil)
			if !h.Step() {
				t.Fatal("there is nothing to do")
			}
			if *yields != row.yields {
				t.Errorf("they were let run %d times for %v, want %d", *yields, row.take, row.yields)
			}
			for i, r := range readers {
				if got := len(r.said()); got != 1+row.yields || r.pushes != 1 {
					t.Errorf("member %d has got %d messages in %d pushes", i, got, r.pushes)
				}
			}
		})
	}
}
