package nats

import (
	"context"

	"github.com/finch-go/finch/broker"
)

// readEnough reads a range for which it is enough to reach its Until, without the
// leaders: ok is false if that proves nothing, and then they are asked. It needs a
// room that this node has open and knows as far as Until, from the leader's own
// word or from what was delivered.
//
// Any replica will do, however far behind, because what is wanted is not what is
// true now, but what led up to a message that the caller knows. A replica has the
// stream's messages in order: one that sends what this node knows to be the last,
// and the message at From with its tag, has all in between that was kept; nothing
// between the two can have left while the older is there. Where From is of an empty
// room, nothing can have left at all: not by number, of which the replica has fewer
// than are kept, nor for what oldest says. One that has not come so far does not
// reach the last. A message that took the place of one that the store lost has
// another tag, which the caller sees in the chain or at its end.
func (b *Broker) readEnough(ctx context.Context, name string, r broker.Range) (page broker.Page, ok bool) {
	if !r.Enough || r.Until == 0 || r.From.IsZero() || r.From.Offset >= r.Until || r.Newest || r.Before != 0 {
		return page, false
	}
	token, partition, now := tokenOf(name), b.layout.partition(name), b.storeNow()
	epoch := b.epochs.of(token, partition)
	last, known := b.workerOf(token).known(token)
	if !known || last.sequence < r.Until || epoch != r.From.Epoch || last.stream.profile.Size == 0 {
		return page, false
	}
	at := place{stream: last.stream, last: last, now: now}
	if r.From.Tag == 0 {
		oldest := b.oldest(partition, now)
		if oldest == 0 || r.From.Offset < oldest {
			return page, false
		}
	}
	read := newReading(b, at, token, r)
	read.at.whole = func(broker.Position) bool { return read.total < last.stream.depth }
	if read.all(ctx) != nil || len(read.found) == 0 {
		return page, false
	}
	page = broker.Page{Head: broker.Position{Epoch: epoch, Offset: last.sequence, Tag: last.tag}, Kept: last.stream.profile.Age}
	read.into(&page, name, epoch)
	first := page.Messages[0].Position
	return page, page.Whole && (r.From.Tag == 0 || first == r.From)
}
