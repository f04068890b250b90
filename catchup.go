package finch

import (
	"context"
	"errors"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

const (
	// portionMessages is how many messages a socket that fell behind is given at
	// a time, before it is seen whether it takes them.
	portionMessages = 200
	// portionPause is how long a socket is left to take a portion before it is
	// looked at again.
	portionPause = 50 * time.Millisecond
	// portionTimeout bounds one read of history.
	portionTimeout = 10 * time.Second
)

// goOn gives a socket what it missed in an address in which it is behind, in
// portions and no faster than it reads, until what is left is so little that the
// feed can let it in again.
func (s *Socket) goOn(at hub.Address, from broker.Position) {
	for !from.IsZero() {
		next, more := from, true
		if s.conn.Queued() == 0 { // it has taken the last portion
			next, more = s.portion(at, from)
		}
		if !more {
			break
		}
		if next == from {
			s.pauseCatchUp(at)
			return
		}
		from = next
	}
	if err := s.set(&attendance{socket: s, at: at, way: bySelf}); err != nil && !errors.Is(err, ErrClosed) {
		s.sink().Overflow()
	}
}

// pauseCatchUp lets the next turn of catchUp go on.
func (s *Socket) pauseCatchUp(at hub.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.doings()
	if d == nil || s.closing {
		return
	}
	if l, ok := d.lagging[at]; ok {
		d.lagging[at] = lag{from: l.from}
		time.AfterFunc(portionPause, s.catchUp)
	}
}

// portion gives the socket the next messages after a position and answers where
// it then stands; more is false if the feed is to judge what is left: because it
// is little, or history does not go on from there, or cannot be asked.
func (s *Socket) portion(at hub.Address, from broker.Position) (next broker.Position, more bool) {
	m := s.manager
	ctx, cancel := context.WithTimeout(m.alive, portionTimeout)
	defer cancel()
	page, err := m.node.broker.Read(ctx, storeName(at), broker.Range{From: from, Limit: portionMessages + 1}) // the anchor is one
	if err != nil {
		return from, false
	}
	messages, err := page.Follow(from, 0)
	if err != nil {
		return from, false
	}
	room := m.gate.config.QueueBytes / 4
	bytes, n := 0, 0
	for n < len(messages) && (n == 0 || bytes+len(messages[n].Data) <= room) {
		bytes += len(messages[n].Data)
		n++
	}
	if n == len(messages) && !page.More {
		return from, false
	}
	f := roomFeed{manager: m, at: at}
	frames, size := make([][]byte, 0, n), 0
	for i := range messages[:n] {
		if b, _ := f.replayed(s, &messages[i]); b != nil {
			b = s.rendered(b)
			frames, size = append(frames, b), size+len(b)
		}
	}
	next = messages[n-1].Position
	s.mu.Lock()
	defer s.mu.Unlock()
	l, behind := lag{}, false
	d := s.doings()
	if d != nil {
		l, behind = d.lagging[at]
	}
	if !behind || l.from != from || s.closing {
		return from, false // it has found another way in meanwhile, or left
	}
	switch m.hub.Replay(s.member, frames, size+m.gate.config.QueueBytes/2) {
	case nil:
		d.lagging[at] = lag{from: next, back: true}
		return next, true
	case hub.ErrSlow:
		return from, true // the hub has not handed over the last portion yet
	}
	return from, false
}
