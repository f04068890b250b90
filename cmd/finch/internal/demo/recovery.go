package demo

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/finch-go/finch"
)

// Beat is what "beat" carries in the room pulse. The numbers have no gap, so
// whoever misses one, or gets one twice, notices.
type Beat struct {
	N int `json:"n"`
}

const (
	beatEvery = 250 * time.Millisecond
	// beatsAlone is how many are published after the last has gone: who comes
	// back from a dead network should find what was missed meanwhile.
	beatsAlone = 240
)

// heart publishes beats while somebody is there to hear them. It has a manager
// of its own, so that the page can lose this connection and no other.
type heart struct {
	sockets *finch.SocketManager
	ctx     context.Context // ends with the demo
	stop    context.CancelFunc

	mu      sync.Mutex // guards everything below
	beating bool
	alone   int // beats since somebody was there
}

func newHeart(house *house, logger *slog.Logger) *heart {
	h := new(heart)
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.sockets = house.manager("pulse", finch.SocketManagerOptions{Logger: logger, Grace: time.Minute})
	h.sockets.DeclareRooms("pulse", finch.RoomOptions{
		HistorySize: 400, // more than anybody misses here
		CanJoin: func(context.Context, *finch.Socket, string) error {
			h.begin()
			return nil
		},
	})
	return h
}

// begin lets the heart beat, if it does not.
func (h *heart) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alone = 0
	if h.beating {
		return
	}
	h.beating = true
	go h.run()
}

func (h *heart) run() {
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	var seen finch.Position // of the newest beat when last looked
	for {
		select {
		case <-tick.C:
		case <-h.ctx.Done():
			return
		}
		here, err := h.sockets.Room("pulse").Count(h.ctx)
		if err != nil {
			continue // the broker is away; no beat is numbered meanwhile
		}
		if h.lonely(here) {
			return
		}
		if now, err := h.beat(seen); err == nil {
			seen = now
		}
	}
}

// beat publishes the next beat, unless somebody has since the last look: on
// several nodes all hearts beat, and one of them is heard. Its key is the beat's
// number, so that of two that publish it one is recorded.
func (h *heart) beat(seen finch.Position) (now finch.Position, err error) {
	room := h.sockets.Room("pulse")
	latest, _, err := room.Latest(h.ctx, finch.Position{}, 1)
	if err != nil {
		return seen, err
	}
	var last Beat
	for _, m := range latest {
		if err := m.Decode(&last); err != nil {
			return seen, err
		}
		if now = m.Position; now != seen {
			return now, nil
		}
	}
	next := Beat{last.N + 1}
	return room.Publish(h.ctx, "beat", next, finch.WithKey(fmt.Sprint("beat ", next.N)))
}

// lonely notes whether somebody is there, and tells that nobody has been for so
// long that no beat is needed.
func (h *heart) lonely(here int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alone++
	if here > 0 {
		h.alone = 0
	}
	if h.alone > beatsAlone {
		h.beating = false
	}
	return !h.beating
}

func (h *heart) shutdown(ctx context.Context) error {
	h.stop()
	return h.sockets.Shutdown(ctx)
}
