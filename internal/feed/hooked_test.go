package feed_test

import (
	"context"
	"sync"

	"github.com/finch-go/finch/broker"
)

// A hooked broker calls what is set before it asks the one that it stands on, and
// returns its error instead of asking. Nil is not called.
type hooked struct {
	broker.Broker
	open  func(ctx context.Context, rooms []string) error
	heads func(ctx context.Context, rooms []string) error
	read  func(ctx context.Context, room string) error

	mu      sync.Mutex
	running int // calls now
	most    int // calls at a time
	calls   int // so far
	rooms   int // that were asked for in them
}

func (h *hooked) begin(rooms int) (end func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	h.rooms += rooms
	h.running++
	h.most = max(h.most, h.running)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.running--
	}
}

// count returns what was counted since the last time.
func (h *hooked) count() (calls, rooms, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	calls, rooms, most = h.calls, h.rooms, h.most
	h.calls, h.rooms, h.most = 0, 0, 0
	return calls, rooms, most
}

func (h *hooked) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	defer h.begin(len(rooms))()
	if h.open != nil {
		if err := h.open(ctx, rooms); err != nil {
			return nil, err
		}
	}
	return h.Broker.Open(ctx, rooms)
}

func (h *hooked) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	defer h.begin(len(rooms))()
	if h.heads != nil {
		if err := h.heads(ctx, rooms); err != nil {
			return nil, since, err
		}
	}
	return h.Broker.Heads(ctx, rooms, since)
}

func (h *hooked) Read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	defer h.begin(1)()
	if h.read != nil {
		if err := h.read(ctx, room); err != nil {
			return broker.Page{}, err
		}
	}
	return h.Broker.Read(ctx, room, r)
}
