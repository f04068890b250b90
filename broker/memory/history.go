package memory

import (
	"context"
	"hash/maphash"
	"math/bits"
	"strconv"
	"strings"

	"github.com/finch-go/finch/broker"
)

// maxPage is the most messages of one page.
const maxPage = 1000

// Open is documented at broker.Broker.
func (b *Broker) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	if err := b.ready(ctx, rooms...); err != nil {
		return nil, err
	}
	heads := make([]broker.Head, 0, len(rooms))
	for _, name := range rooms {
		sh := b.cluster.shard(name)
		sh.mu.Lock()
		// Close takes the node out of the shards after it has ended started: what
		// is seen to be started here is taken out there.
		if !b.started.Load() {
			sh.mu.Unlock()
			return nil, broker.ErrClosed
		}
		r := sh.room(name)
		r.nodes |= 1 << b.slot
		heads = append(heads, r.brokerHead())
		sh.mu.Unlock()
	}
	return heads, nil
}

// Release is documented at broker.Broker.
func (b *Broker) Release(rooms []string) {
	if !b.started.Load() {
		return
	}
	for _, name := range rooms {
		sh := b.cluster.shard(name)
		sh.mu.Lock()
		// A slot is another node's as soon as this one has closed.
		if r := sh.rooms[name]; r != nil && b.started.Load() {
			sh.release(r, b.slot)
		}
		sh.mu.Unlock()
	}
}

// Publish is documented at broker.Broker.
func (b *Broker) Publish(ctx context.Context, name string, data []byte, o broker.PublishOptions) (broker.Ack, error) {
	if err := b.ready(ctx, name); err != nil {
		return broker.Ack{}, err
	}
	c := b.cluster
	if len(data) > c.options.MaxPayload {
		return broker.Ack{}, broker.ErrTooLarge
	}
	profile := b.profiles[o.Profile]
	if profile == nil {
		return broker.Ack{}, broker.ErrUnknownProfile
	}
	var id keyID
	var hash uint64
	if o.Key != "" {
		id, hash = newKeyID(name, o.Publisher, o.Key), maphash.Bytes(dataSeed, data)
	}
	now := c.now().UnixNano()
	sh := c.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if o.Key != "" {
		if first, ok := c.keys.find(id, now); ok {
			if first.data != hash {
				return broker.Ack{}, broker.ErrKeyReused
			}
			return broker.Ack{Position: first.position, Duplicate: true}, nil
		}
	}
	r := sh.room(name)
	c.append(r, profile, record{at: now, key: o.Key, from: o.From, data: data})
	ack := broker.Ack{Position: r.head()}
	if o.Key != "" {
		c.keys.remember(id, answer{ack.Position, hash}, now)
	}
	m := r.message(r.log.records.len() - 1)
	c.eachSink(r.nodes, func(s broker.Sink) { s.Deliver(m) })
	c.trim(r.log, now)
	c.sweep(sh, now)
	return ack, nil
}

// append makes rec the room's last message.
func (c *Cluster) append(r *room, profile *broker.Profile, rec record) {
	if r.log == nil {
		r.log = &log{profile: profile}
	}
	l := r.log
	l.squeezed = l.squeezed || l.profile.Size != profile.Size
	l.profile, l.used, l.commit = profile, rec.at, c.commits.Add(1)
	rec.tag = nextTag(l.tag, c.salt, l.commit, rec.at)
	l.tag = rec.tag
	l.records.push(rec)
	c.held.Add(rec.size())
}

// trim leaves of a history what its profile and the bound of all allow.
func (c *Cluster) trim(l *log, now int64) {
	for l.records.len() > l.profile.Size {
		c.held.Add(-l.drop())
	}
	c.held.Add(-l.expire(now))
	c.squeeze(l)
}

// eachSink visits the sinks of those slots. The caller holds the lock of the
// shard where it found the slots: Close takes them out there before it ends.
func (c *Cluster) eachSink(slots uint64, visit func(broker.Sink)) {
	for ; slots != 0; slots &= slots - 1 {
		visit(c.slots[bits.TrailingZeros64(slots)].sink)
	}
}

// Read is documented at broker.Broker.
func (b *Broker) Read(ctx context.Context, name string, r broker.Range) (broker.Page, error) {
	if err := b.ready(ctx, name); err != nil {
		return broker.Page{}, err
	}
	c := b.cluster
	now := c.now().UnixNano()
	sh := c.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	found := sh.rooms[name]
	if found == nil {
		return broker.Page{Head: broker.Position{Epoch: sh.epoch}, Whole: true}, nil
	}
	page := broker.Page{Head: found.head(), Whole: true}
	l := found.log
	if l == nil {
		return page, nil
	}
	c.held.Add(-l.expire(now))
	page.Whole = l.trimmed <= r.From.Offset
	page.Spare = l.records.len() < l.profile.Size && !l.squeezed
	if l.profile.Size > 0 {
		page.Kept = l.profile.Age
	}
	if !r.From.IsZero() && r.From.Epoch != found.epoch {
		page.Whole = false
		return page, nil
	}
	low, high := l.within(r)
	limit := r.Limit
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	if high-low > limit {
		page.More = true
		if r.Newest {
			low = high - limit
		} else {
			high = low + limit
		}
	}
	for i := low; i < high; i++ {
		page.Messages = append(page.Messages, found.message(i))
	}
	return page, nil
}

// within returns the indexes [low, high) of the range's messages.
func (l *log) within(r broker.Range) (low, high int) {
	high = l.records.len()
	if r.From.Offset > l.trimmed {
		low = int(min(r.From.Offset-l.trimmed-1, uint64(high)))
	}
	if r.Before != 0 {
		high = int(min(uint64(high), r.Before-min(r.Before, l.trimmed+1)))
	}
	return min(low, high), high
}

// Heads is documented at broker.Broker.
func (b *Broker) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	if err := b.ready(ctx, rooms...); err != nil {
		return nil, since, err
	}
	c := b.cluster
	// The count is read before the rooms: what is committed meanwhile is
	// returned by this call, the next, or both.
	next := c.commits.Load()
	seen, all := c.parseMark(since)
	now := c.now().UnixNano()
	var changed []broker.Head
	for _, name := range rooms {
		sh := c.shard(name)
		sh.mu.Lock()
		r := sh.rooms[name]
		switch {
		case r == nil: // nothing is known of what it was at the mark
			changed = append(changed, broker.Head{Room: name, Position: broker.Position{Epoch: sh.epoch}})
		case all || r.log != nil && r.log.commit > seen:
			changed = append(changed, r.brokerHead())
		}
		if r != nil && r.log != nil {
			c.held.Add(-r.log.expire(now))
		}
		sh.mu.Unlock()
	}
	return changed, broker.Mark(c.id + "." + strconv.FormatUint(next, 10)), nil
}

// parseMark says how far the mark has looked, or that it is not this store's.
func (c *Cluster) parseMark(m broker.Mark) (seen uint64, all bool) {
	id, count, _ := strings.Cut(string(m), ".")
	seen, err := strconv.ParseUint(count, 10, 64)
	return seen, id != c.id || err != nil
}

// Purge is documented at broker.Broker.
func (b *Broker) Purge(ctx context.Context, name string) error {
	if err := b.ready(ctx, name); err != nil {
		return err
	}
	c := b.cluster
	sh := c.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	c.newEpoch(sh)
	r := sh.rooms[name]
	if r == nil {
		return nil // if it begins now it has the new epoch
	}
	if r.log != nil {
		for r.log.records.len() > 0 {
			c.held.Add(-r.log.drop())
		}
		r.log = &log{profile: r.log.profile, used: r.log.used, commit: c.commits.Add(1)}
	} else {
		r.log = &log{profile: &broker.DefaultProfile, used: c.now().UnixNano(), commit: c.commits.Add(1)}
	}
	r.epoch = sh.epoch
	c.eachSink(r.nodes, func(s broker.Sink) {
		s.Uncertain(broker.Scope{Rooms: []string{r.name}}, broker.ErrPurged)
	})
	return nil
}
