package redis

import (
	"context"

	"github.com/finch-go/finch/broker"
)

// say publishes on a channel and returns how many subscribers its server has told.
// Both ends use the owner of the channel's slot, so that this is how many there
// are.
func (b *Broker) say(ctx context.Context, channel, frame string) (told int64, err error) {
	c := b.client()
	return c.Do(ctx, c.B().Spublish().Channel(channel).Message(frame).Build()).AsInt64()
}

func (b *Broker) everyone() string {
	return b.names.channelIn(b.options.Partitions, kindEveryone, "")
}

// Send is documented at broker.Broker. It returns when the server has taken it.
func (b *Broker) Send(ctx context.Context, to broker.Target, data []byte) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	if len(data) > b.options.MaxPayload {
		return broker.ErrTooLarge
	}
	channel := b.everyone()
	switch to.Kind {
	case broker.ToRoom:
		if err := checkRooms(to.Name); err != nil {
			return err
		}
		channel = b.names.channel(kindRoom, to.Name)
	case broker.ToNode:
		if !b.lives(ctx, to.Name) {
			return broker.ErrUnknownNode
		}
		channel = b.names.channel(kindNode, to.Name)
	}
	if _, err := b.say(ctx, channel, newFrame(frameSent, 0, b.node, data)); err != nil {
		return b.unknown(ctx, err)
	}
	return nil
}
