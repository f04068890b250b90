package client

import "sync"

// An item is something that waits for the dispatcher: a message for its handler,
// or an event for OnEvent.
type item struct {
	link    *link
	message incoming
	event   Event // not nil: then there is no message
}

// inbox holds what came until the dispatcher takes it, in order. It is bounded
// by bytes: while it is full the reader waits, and the server with it.
type inbox struct {
	most int

	mu     sync.Mutex // guards everything below
	items  []item
	bytes  int
	full   bool
	closed bool
	filled chan struct{} // capacity 1: there is something to take
	eased  chan struct{} // capacity 1: there is room again
}

func newInbox(most int) *inbox {
	return &inbox{most: most, filled: make(chan struct{}, 1), eased: make(chan struct{}, 1)}
}

// put adds an item; false if there is no room.
func (in *inbox) put(it item) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return true
	}
	if in.bytes > 0 && in.bytes+it.message.size > in.most {
		in.full = true
		return false
	}
	in.full = false
	in.items = append(in.items, it)
	in.bytes += it.message.size
	select {
	case in.filled <- struct{}{}:
	default:
	}
	return true
}

// take returns the next item; ok is false if there is none.
func (in *inbox) take() (it item, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if len(in.items) == 0 {
		return item{}, false
	}
	it = in.items[0]
	in.items[0] = item{}
	if in.items = in.items[1:]; len(in.items) == 0 {
		in.items = nil
	}
	in.bytes -= it.message.size
	select {
	case in.eased <- struct{}{}:
	default:
	}
	return it, true
}

func (in *inbox) isFull() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.full
}

// close forgets everything.
func (in *inbox) close() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed, in.items, in.bytes = true, nil, 0
}

// enqueue waits until the inbox takes the item or the link is dead. It is called
// by the link's reader.
func (c *Client) enqueue(l *link, it item) {
	for !c.inbox.put(it) {
		c.failHandlers()
		select {
		case <-c.inbox.eased:
		case <-c.life.Done():
			return
		}
	}
}
