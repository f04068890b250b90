package redis

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

const (
	// headBatch is how many heads one command reads: a tenth of a millisecond, in
	// which the server does nothing else.
	headBatch = 256
	// pipelineBatch is how many commands are on their way at once.
	pipelineBatch = 64
)

// Open is documented at broker.Broker. The head is read by the master of the
// slot after that server itself has taken the subscription.
func (b *Broker) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	if err := b.ready(ctx, rooms...); err != nil {
		return nil, err
	}
	byLane := map[*lane][]string{}
	for _, room := range rooms {
		l := b.laneOf(room)
		byLane[l] = append(byLane[l], room)
	}
	for l, rooms := range byLane {
		l.open(rooms)
	}
	for l, rooms := range byLane {
		if err := l.await(ctx, rooms); err != nil {
			return nil, b.unavailable(ctx, err)
		}
	}
	found, err := b.heads(ctx, rooms)
	if err != nil {
		return nil, b.unavailable(ctx, err)
	}
	heads := make([]broker.Head, len(rooms))
	for i, h := range found {
		heads[i] = broker.Head{Room: rooms[i], Position: h.position, At: h.at}
	}
	return heads, nil
}

// Release is documented at broker.Broker.
func (b *Broker) Release(rooms []string) {
	if !b.started.Load() {
		return
	}
	byLane := map[*lane][]string{}
	for _, room := range rooms {
		l := b.laneOf(room)
		byLane[l] = append(byLane[l], room)
	}
	for l, rooms := range byLane {
		l.release(rooms)
	}
}

// heads reads the heads of rooms, and makes those that are not there, so that a
// room which has had no message yet has an epoch that stays.
func (b *Broker) heads(ctx context.Context, rooms []string) ([]head, error) {
	heads := make([]head, len(rooms))
	missing, err := b.readHeads(ctx, rooms, heads)
	if err != nil || len(missing) == 0 {
		return heads, err
	}
	// Each gets an epoch unless somebody was faster.
	keep := inMilliseconds(b.options.ForgetAfter)
	commands := make([]rueidis.Completed, 0, min(len(missing), pipelineBatch))
	for len(missing) > 0 {
		some := missing[:min(len(missing), pipelineBatch)]
		missing = missing[len(some):]
		commands = commands[:0]
		fresh := make([]string, len(some))
		for i, at := range some {
			fresh[i] = emptyHead(newEpoch())
			key := b.names.key(kindHead, rooms[at])
			commands = append(commands, b.client().B().Arbitrary("SET").Keys(key).Args(fresh[i], "NX", "GET", "PX", keep).Build())
		}
		for i, result := range b.client().DoMulti(ctx, commands...) {
			stored, err := result.ToString()
			if rueidis.IsRedisNil(err) {
				stored, err = fresh[i], nil
			}
			if err == nil {
				heads[some[i]], err = parseHead(stored)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return heads, nil
}

// readHeads reads heads, partition by partition, and returns the indexes of those
// that are not there.
func (b *Broker) readHeads(ctx context.Context, rooms []string, heads []head) (missing []int, err error) {
	groups := b.group(rooms)
	for len(groups) > 0 {
		some := groups[:min(len(groups), pipelineBatch)]
		groups = groups[len(some):]
		commands := make([]rueidis.Completed, len(some))
		for g, group := range some {
			keys := make([]string, len(group))
			for i, at := range group {
				keys[i] = b.names.key(kindHead, rooms[at])
			}
			commands[g] = b.client().B().Mget().Key(keys...).Build()
		}
		for g, result := range b.client().DoMulti(ctx, commands...) {
			stored, err := result.ToArray()
			if refused, ok := rueidis.IsRedisErr(err); ok && refused.IsTryAgain() {
				stored, err = b.oneByOne(ctx, rooms, some[g])
			}
			if err == nil && len(stored) != len(some[g]) {
				err = errBadRecord
			}
			if err != nil {
				return nil, err
			}
			for i, at := range some[g] {
				text, err := stored[i].ToString()
				if rueidis.IsRedisNil(err) {
					missing = append(missing, at)
					continue
				}
				if err == nil {
					heads[at], err = parseHead(text)
				}
				if err != nil {
					return nil, err
				}
			}
		}
	}
	return missing, nil
}

// group puts the indexes of rooms together that one command may read.
func (b *Broker) group(rooms []string) (groups [][]int) {
	if len(rooms) == 1 {
		return [][]int{{0}}
	}
	parts := make([][]int, len(b.names.tags))
	for i, room := range rooms {
		p := b.names.partition(room)
		parts[p] = append(parts[p], i)
	}
	for _, part := range parts {
		for len(part) > 0 {
			n := min(len(part), headBatch)
			groups = append(groups, part[:n])
			part = part[n:]
		}
	}
	return groups
}

// oneByOne reads heads of a slot that is between two servers of a Cluster: a
// command of one key finds where it is.
func (b *Broker) oneByOne(ctx context.Context, rooms []string, group []int) ([]rueidis.RedisMessage, error) {
	commands := make([]rueidis.Completed, len(group))
	for i, at := range group {
		commands[i] = b.client().B().Get().Key(b.names.key(kindHead, rooms[at])).Build()
	}
	stored := make([]rueidis.RedisMessage, len(group))
	for i, result := range b.client().DoMulti(ctx, commands...) {
		var err error
		if stored[i], err = result.ToMessage(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, err
		}
	}
	return stored, nil
}

// A sight is what Heads last saw of a room that is open.
type sight struct {
	print uint64 // of the position
	since uint64 // the look at which it was first seen like this; 0 never
}

var sightSeed = maphash.MakeSeed()

// fingerprint is a hash of a position, by this process's own seed.
func fingerprint(p broker.Position) uint64 {
	var h maphash.Hash
	h.SetSeed(sightSeed)
	h.WriteString(p.Epoch)
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], p.Offset)
	binary.BigEndian.PutUint64(b[8:], p.Tag)
	h.Write(b[:])
	return h.Sum64()
}

// Heads is documented at broker.Broker. All heads are read; the mark saves the
// caller those that did not change. It is this broker's own, and speaks of rooms
// that it has open.
func (b *Broker) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	if err := b.ready(ctx, rooms...); err != nil {
		return nil, since, err
	}
	// One at a time: a call that read early and notes late would hide a change
	// from the mark of another.
	select {
	case b.looking <- struct{}{}:
		defer func() { <-b.looking }()
	case <-ctx.Done():
		return nil, since, ctx.Err()
	}
	seen, honoured := b.parseMark(since)
	now := b.looks.Add(1)
	found, err := b.heads(ctx, rooms)
	if err != nil {
		return nil, since, b.unavailable(ctx, err)
	}
	var changed []broker.Head
	for i, h := range found {
		if b.sees(rooms[i], h.position, now) > seen || !honoured {
			changed = append(changed, broker.Head{Room: rooms[i], Position: h.position, At: h.at})
		}
	}
	return changed, broker.Mark(b.instance + "." + strconv.FormatUint(now, 10)), nil
}

// sees notes a room's position at a look, and returns the look since which it is
// known to stand there.
func (b *Broker) sees(room string, p broker.Position, now uint64) uint64 {
	l := b.laneOf(room)
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.rooms[room]
	if in == nil {
		return now
	}
	if s := fingerprint(p); in.sight.since == 0 || in.sight.print != s {
		in.sight = sight{s, now}
	}
	return in.sight.since
}

func (b *Broker) parseMark(m broker.Mark) (seen uint64, ok bool) {
	instance, count, _ := strings.Cut(string(m), ".")
	seen, err := strconv.ParseUint(count, 10, 64)
	return seen, err == nil && instance == b.instance && seen <= b.looks.Load()
}

// prolong keeps the heads of open rooms from expiring: those that were not
// prolonged for a third of ForgetAfter. A head that is kept longer, or for ever,
// stays as it is.
func (b *Broker) prolong(ctx context.Context) {
	now := time.Now().Unix()
	due := now - int64(b.options.ForgetAfter/(3*time.Second))
	keep := inMilliseconds(b.options.ForgetAfter)
	for _, l := range b.lanes {
		var rooms []string
		l.mu.Lock()
		for room, in := range l.rooms {
			if in.touched <= due {
				rooms = append(rooms, room)
				in.touched = now
			}
		}
		l.mu.Unlock()
		for len(rooms) > 0 && ctx.Err() == nil {
			some := rooms[:min(len(rooms), headBatch)]
			rooms = rooms[len(some):]
			commands := make([]rueidis.Completed, len(some))
			for i, room := range some {
				commands[i] = b.client().B().Arbitrary("PEXPIRE").Keys(b.names.key(kindHead, room)).Args(keep, "GT").Build()
			}
			for i, result := range b.client().DoMulti(ctx, commands...) {
				if result.Error() != nil {
					l.mu.Lock()
					if in := l.rooms[some[i]]; in != nil {
						in.touched = 0 // the next time
					}
					l.mu.Unlock()
				}
			}
		}
	}
}
