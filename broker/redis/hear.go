package redis

import (
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// hear takes what came on a channel to where it belongs. It is called by the
// goroutine that reads the line, and must not block.
func (b *Broker) hear(ln *line, m rueidis.PubSubMessage) {
	kind, partition, of, ok := b.names.parseChannel(m.Channel)
	if !ok {
		return
	}
	l := b.lane(partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	// A lane that has moved may still be told things by where it was.
	if l.line != ln || l.closed {
		return
	}
	if kind == kindProbe {
		l.silence = 0
		return
	}
	if l.lost != nil {
		return
	}
	if kind == kindRoom && len(m.Message) > 0 && m.Message[0] == frameMessage {
		message, err := parseRecord(of, m.Message)
		if err != nil {
			b.strange(m.Channel)
			return
		}
		b.sink.Deliver(message)
		return
	}
	f, err := parseFrame(m.Message)
	switch {
	case err != nil:
		b.strange(m.Channel)
	case kind == kindRoom && f.kind == frameSent:
		b.sink.Receive(f.sent(broker.Target{Kind: broker.ToRoom, Name: of}))
	case kind == kindRoom && f.kind == framePurged:
		b.sink.Uncertain(broker.Scope{Rooms: []string{of}}, broker.ErrPurged)
	case kind == kindEveryone && f.kind == frameSent:
		b.sink.Receive(f.sent(broker.Target{}))
	case kind == kindEveryone && f.kind == frameNodes:
		nudge(b.doubt)
	case kind == kindNode && f.kind == frameSent:
		b.sink.Receive(f.sent(broker.Target{Kind: broker.ToNode, Name: of}))
	case kind == kindNode && f.kind == frameQuestion:
		b.answer(f)
	case kind == kindNode:
		b.answered(f)
	default:
		b.strange(m.Channel)
	}
}

// strange notes, once a minute at most, that something came which this broker does not send: another
// version of it, or another program in the namespace.
func (b *Broker) strange(channel string) {
	now := time.Now().Unix()
	if before := b.wondered.Load(); now-before < 60 || !b.wondered.CompareAndSwap(before, now) {
		return
	}
	b.options.Logger.Warn("redis: something that is not understood came on a channel; does another program use the namespace?", "channel", channel)
}
