package demo

import (
	"context"
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
	beats   int // ever
}

func newHeart(logger *slog.Logger) *heart {
	h := new(heart)
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.sockets = finch.NewSocketManager(&finch.SocketManagerOptions{Logger: logger, Grace: time.Minute})
	h.sockets.DeclareRooms("pulse", finch.RoomOptions{
		HistorySize: 400, // more than anybody misses here
		HistoryAge:  5 * time.Minute,
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
	room := h.sockets.Room("pulse")
	for {
		select {
		case <-tick.C:
		case <-h.ctx.Done():
			return
		}
		here, err := room.Count(h.ctx)
		if err != nil {
			return // the demo ends
		}
		n, last := h.next(here)
		if last {
			return
		}
		// In memory a publish does not fail; elsewhere it would be tried again with
		// the same key, or the beat be missing for all.
		room.Publish(h.ctx, "beat", Beat{n})
	}
}

// next numbers a beat; last if nobody has been there for so long that there is
// none.
func (h *heart) next(here int) (n int, last bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.alone++
	if here > 0 {
		h.alone = 0
	}
	if h.alone > beatsAlone {
		h.beating = false
		return 0, true
	}
	h.beats++
	return h.beats, false
}

func (h *heart) shutdown(ctx context.Context) error {
	h.stop()
	return h.sockets.Shutdown(ctx)
}
