package hub_test

import (
	"fmt"
	"testing"

	"github.com/finch-go/finch/internal/hub"
)

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
	for _, row := range []struct{ members, wait, pushes int }{
		{64, 5, 1},
		{63, 5, 2}, // a small room is walked at once, and again
	} {
		var h *hub.Hub
		yields := 0
		h = hub.New(hub.Options{Yield: func() {
			if yields++; yields <= row.wait {
				h.Send(room("blue"), message(fmt.Sprint("later ", yields)), nil)
			}
		}})
		readers := gathered(t, h, row.members)
		h.Send(room("blue"), message("first"), nil)
		h.Step()
		if row.pushes > 1 {
			h.Send(room("blue"), message("second"), nil)
		}
		settle(h)
		for i, r := range readers {
			if r.pushes != row.pushes {
				t.Errorf("of %d, member %d was pushed %d times, want %d", row.members, i, r.pushes, row.pushes)
			}
		}
		if row.pushes == 1 {
			want(t, readers[0], "first", "later", "1", "later", "2", "later", "3", "later", "4", "later", "5")
		} else if yields > 0 {
			t.Errorf("a walk of %d members waited for others", row.members)
		}
		if h.Pinned() != 0 {
			t.Errorf("%d bytes are still pinned", h.Pinned())
		}
	}
}

// Those who send without end do not hold up what is there.
func TestWalkBeginsWhileOthersGoOnSending(t *testing.T) {
	const members = 80
	var h *hub.Hub
	yields := 0
	h = hub.New(hub.Options{Yield: func() {
		yields++
		h.Send(room("blue"), message("more"), nil)
	}})
	readers := gathered(t, h, members)
	h.Send(room("blue"), message("first"), nil)
	if !h.Step() {
		t.Fatal("there is nothing to do")
	}
	if yields != members/8 {
		t.Errorf("the walk waited for %d messages, want %d", yields, members/8)
	}
	for i, r := range readers {
		if got := len(r.said()); got != 1+members/8 || r.pushes != 1 {
			t.Errorf("member %d has got %d messages in %d pushes", i, got, r.pushes)
		}
	}
}
