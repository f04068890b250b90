package finch

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// shares tells the other nodes how many members each address has here. Changes
// are gathered, so that a crowd that comes costs one write and not one each.
type shares struct {
	manager *SocketManager

	mu      sync.Mutex
	changed map[hub.Address]struct{}
	told    map[hub.Address]int // what the broker knows
	running bool
	failed  int // times in a row that something could not be told
}

// sharePause is how long changes are gathered.
const sharePause = 250 * time.Millisecond

// sharePauseMost is how long they are gathered while the broker takes none.
const sharePauseMost = 4 * time.Second

// shareMisses is how many writes fail one after another before the others wait
// too: the broker is likely to take none.
const shareMisses = 8

// unknownShare stands for what the broker knows after a write that failed.
const unknownShare = -1

// shareTimeout bounds one write.
const shareTimeout = 5 * time.Second

// note remembers that the number of an address's members may have changed.
func (h *shares) note(at hub.Address) {
	if !h.manager.node.caps.Cluster || at.Kind == hub.Watch {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.changed == nil {
		h.changed = make(map[hub.Address]struct{})
	}
	h.changed[at] = struct{}{}
	h.plan()
}

// noteShares remembers that the socket came or went, and was in these rooms.
func (s *Socket) noteShares(rooms []string) {
	h := &s.manager.shares
	h.note(hub.Address{Kind: hub.Everyone})
	if user := s.User(); user != "" {
		h.note(hub.Address{Kind: hub.User, Name: user})
	}
	for _, room := range rooms {
		h.note(hub.Address{Kind: hub.Room, Name: room})
	}
}

// plan makes tell run soon. Called with mu held.
func (h *shares) plan() {
	if !h.running && len(h.changed) > 0 {
		h.running = true
		time.AfterFunc(min(sharePause<<min(h.failed, 10), sharePauseMost), h.tell)
	}
}

// tell writes the shares that have changed.
func (h *shares) tell() {
	h.mu.Lock()
	changed := h.changed
	h.changed = nil
	h.mu.Unlock()
	misses := 0
	for at := range changed {
		if misses == shareMisses {
			break
		}
		if h.tellOne(at) != nil {
			misses++
			continue
		}
		misses = 0
		delete(changed, at)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.running = false
	h.failed++
	if len(changed) == 0 {
		h.failed = 0
	}
	if h.manager.alive.Err() != nil {
		return
	}
	maps.Copy(changed, h.changed) // what could not be told comes again with the next
	if h.changed = changed; len(changed) == 0 {
		h.changed = nil
	}
	h.plan()
}

// tellOne writes the share of one address, if the broker knows another.
func (h *shares) tellOne(at hub.Address) error {
	n := h.manager.node
	count := h.manager.hub.Count(at)
	h.mu.Lock()
	known := h.told[at] == count
	h.mu.Unlock()
	if known {
		return nil
	}
	ctx, cancel := context.WithTimeout(h.manager.alive, shareTimeout)
	defer cancel()
	if err := n.ready(ctx); err != nil {
		return err
	}
	if err := n.broker.SetShare(ctx, storeName(at), count); err != nil {
		h.knows(at, unknownShare) // the broker may have taken it, or take it yet
		return err
	}
	h.knows(at, count)
	return nil
}

func (h *shares) knows(at hub.Address, count int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if count == 0 {
		delete(h.told, at)
		return
	}
	if h.told == nil {
		h.told = make(map[hub.Address]int)
	}
	h.told[at] = count
}

// elsewhere answers the members that an address has on other nodes.
func (n *node) elsewhere(ctx context.Context, at hub.Address) (nodes []broker.Share, total int, err error) {
	if !n.caps.Cluster {
		return nil, 0, nil
	}
	if err := n.ready(ctx); err != nil {
		return nil, 0, err
	}
	all, err := n.broker.Shares(ctx, storeName(at))
	if err != nil {
		return nil, 0, err
	}
	for _, s := range all {
		if s.Node.ID != n.id {
			nodes = append(nodes, s)
			total += s.Members
		}
	}
	return nodes, total, nil
}
