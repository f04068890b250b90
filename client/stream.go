package client

import (
	"context"
	"iter"
)

// spare is how many events beyond its messages a stream holds.
const spare = 64

// A stream is what happened in a room and was not read yet. Its fields are
// guarded by the client's mu.
type stream struct {
	most, mostBytes int
	events          []queued
	messages, bytes int
	arrived         chan struct{} // closed and renewed with each event
}

type queued struct {
	event Event
	size  int // of a message; 0 of anything else
}

// fits reports whether one more message of this size may wait.
func (s *stream) fits(size int) bool {
	return s.messages == 0 || s.messages < s.most && s.bytes+size <= s.mostBytes
}

// isEased reports whether enough was read to go on.
func (s *stream) isEased() bool { return s.messages <= s.most/2 && s.bytes <= s.mostBytes/2 }

// add adds a message. One that is not recorded is dropped when there is no room.
func (s *stream) add(m *Message, size int) {
	if !s.fits(size) {
		return
	}
	s.events = append(s.events, queued{m, max(size, 1)})
	s.messages++
	s.bytes += max(size, 1)
	s.wake()
}

func (s *stream) wake() {
	close(s.arrived)
	s.arrived = make(chan struct{})
}

// tell adds an event that is no message. When nobody reads, those that matter
// take the place of the last.
func (s *stream) tell(e Event) {
	defer s.wake()
	if len(s.events) < s.most+spare {
		s.events = append(s.events, queued{event: e})
		return
	}
	switch e.(type) {
	case *Reset, *Left:
		last := &s.events[len(s.events)-1]
		if last.size > 0 {
			s.messages--
			s.bytes -= last.size
		}
		*last = queued{event: e}
	}
}

func (s *stream) take() (Event, bool) {
	if len(s.events) == 0 {
		return nil, false
	}
	q := s.events[0]
	s.events[0] = queued{}
	s.events = s.events[1:]
	if q.size > 0 {
		s.messages--
		s.bytes -= q.size
	}
	return q.event, true
}

func (s *stream) clear() { s.events, s.messages, s.bytes = nil, 0, 0 }

// Events returns what happens in the room, in order, and waits for more: its
// messages, and what becomes of the client's membership. From the first call of
// Events or [Room.Join] on, the room's messages come here and not to the
// handlers of [On].
//
// The client stands behind a message from before it is returned, so none is
// returned twice, whatever the loop does: leave it and come back, leave the room
// and join again, or close the client. If the loop is slower than the room, the
// room lags and is caught up: see [Lagged]. Two loops at a time share the events
// between them.
//
// It ends without an error behind a [*Left], and when the room is left with
// [Room.Leave]; else with the error of ctx, or a [*ClosedError].
func (r Room) Events(ctx context.Context) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		r.client.mu.Lock()
		record := r.client.record(r.name)
		record.openStream()
		record.readers++
		r.client.mu.Unlock()
		defer func() {
			r.client.mu.Lock()
			defer r.client.mu.Unlock()
			record.readers--
			record.tidy()
		}()
		ours := false // the room was one of the client's in the meantime
		for {
			event, err := record.next(ctx, &ours)
			if err != nil {
				yield(nil, err)
				return
			}
			if event == nil || !yield(event, nil) {
				return
			}
			if _, left := event.(*Left); left {
				return
			}
		}
	}
}

func (r *room) openStream() {
	if r.stream == nil {
		r.stream = &stream{most: r.c.options.RoomQueue, mostBytes: r.c.options.InboxBytes, arrived: make(chan struct{})}
	}
}

// next waits for the next event; nil without an error when the room was left.
func (r *room) next(ctx context.Context, ours *bool) (Event, error) {
	for {
		r.c.mu.Lock()
		if r.c.closed != nil {
			defer r.c.mu.Unlock()
			return nil, r.c.closed
		}
		if event, ok := r.stream.take(); ok {
			r.catchUp()
			*ours = true
			r.c.mu.Unlock()
			return event, nil
		}
		is := r.wanted || r.given
		if *ours && !is {
			r.c.mu.Unlock()
			return nil, nil
		}
		*ours = *ours || is
		arrived, change := r.stream.arrived, r.c.change
		r.c.mu.Unlock()
		select {
		case <-arrived:
		case <-change:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// catchUp asks for what was dropped while the stream was full.
func (r *room) catchUp() {
	if r.lagging && r.member && r.stream.isEased() {
		r.sendJoin()
	}
}
