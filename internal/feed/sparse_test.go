package feed_test

import (
	"context"

	"github.com/finch-go/finch/broker"
)

// sparse makes of a broker one whose store numbers all rooms together and knows
// little: offsets skip, an empty room stands at whatever was counted, the tag
// before a message is unknown, and so is what came before a page's first message,
// and before most rooms'.
type sparse struct {
	broker.Broker
	count uint64
	empty map[string]uint64 // the last offset given as an empty room's head
}

// The message at offset n of the broker stands at 3n+1; before the first one at
// 4 the store may have counted up to 3.
func up(offset uint64) uint64 { return 3*offset + 1 }

// down is the first offset of the broker that is not below.
func down(offset uint64) uint64 {
	if offset <= 3 {
		return 0
	}
	return (offset + 1) / 3
}

func (s *sparse) position(p broker.Position) broker.Position {
	if p.Tag == 0 && p.Epoch != "" {
		s.count++
		p.Offset = min(s.count/4, 3)
		return p
	}
	p.Offset = up(p.Offset)
	return p
}

func (s *sparse) heads(heads []broker.Head) {
	for i := range heads {
		h := &heads[i]
		h.Position = s.position(h.Position)
		if h.Position.IsEmpty() {
			s.empty[h.Room] = h.Position.Offset
			h.Since = min(s.count%2, h.Position.Offset)
		}
	}
}

func (s *sparse) message(m broker.Message) broker.Message {
	m.Position.Offset = up(m.Position.Offset)
	empty, told := s.empty[m.Room]
	switch {
	case m.Prev != 0:
		m.Prev = up(m.Prev)
	case told && empty > 0 && m.Position.Tag%2 == 0:
		m.Prev = empty
	default:
		m.Prev = broker.PrevUnknown
	}
	m.PrevTag = 0
	return m
}

type sparseSink struct {
	broker.Sink
	s *sparse
}

func (s sparseSink) Deliver(m broker.Message) { s.Sink.Deliver(s.s.message(m)) }

func (s *sparse) Start(ctx context.Context, node broker.Node, sink broker.Sink) error {
	return s.Broker.Start(ctx, node, sparseSink{sink, s})
}

func (s *sparse) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	heads, err := s.Broker.Open(ctx, rooms)
	s.heads(heads)
	return heads, err
}

func (s *sparse) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	heads, next, err := s.Broker.Heads(ctx, rooms, since)
	s.heads(heads)
	return heads, next, err
}

func (s *sparse) Publish(ctx context.Context, room string, data []byte, o broker.PublishOptions) (broker.Ack, error) {
	ack, err := s.Broker.Publish(ctx, room, data, o)
	if err == nil {
		ack.Position = s.position(ack.Position)
	}
	return ack, err
}

func (s *sparse) Read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	r.From.Offset, r.Until, r.Before = down(r.From.Offset), down(r.Until), down(r.Before)
	page, err := s.Broker.Read(ctx, room, r)
	page.Head = s.position(page.Head)
	for i := range page.Messages {
		page.Messages[i] = s.message(page.Messages[i])
		if i == 0 {
			page.Messages[i].Prev = broker.PrevUnknown
		}
	}
	return page, err
}
