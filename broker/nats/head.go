package nats

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
)

const (
	// fewRooms is up to how many heads are asked of a stream one by one, at its
	// leader; more are asked together, after a sounding.
	fewRooms = 4
	// A question for many heads names at most so many rooms (JetStream refuses
	// more than 1,024 answers), in subjects of at most so many bytes.
	manyRooms      = 1000
	manyRoomsBytes = 256 << 10
	// batchBytes bounds what a replica sends in one go.
	batchBytes = 8 << 20
)

// Open is documented at broker.Broker.
func (b *Broker) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	if err := b.ready(ctx, rooms...); err != nil {
		return nil, err
	}
	for _, name := range rooms {
		token := tokenOf(name)
		if err := b.workerOf(token).open(name, token); err != nil {
			return nil, err
		}
	}
	if !b.started.Load() {
		b.Release(rooms)
		return nil, broker.ErrClosed
	}
	found, err := b.lasts(ctx, rooms, nil, false)
	if err != nil {
		return nil, err
	}
	heads := make([]broker.Head, 0, len(rooms))
	for _, name := range rooms {
		heads = append(heads, b.head(name, found.found[name], found.at))
	}
	b.mark()
	return heads, nil
}

// head makes the broker's head of a room, given its last message on disk.
func (b *Broker) head(name string, last *record, at time.Time) broker.Head {
	token, partition := tokenOf(name), b.layout.partition(name)
	w := b.workerOf(token)
	if last == nil {
		if known, ok := w.known(token); ok && b.forgotten(partition, known.at, at) {
			last = &known
		}
	}
	epoch := b.epochs.of(token, partition)
	if last == nil {
		oldest := b.oldest(partition, at)
		offset := w.vacant(token, offsetOf(at), oldest)
		return broker.Head{Room: name, Position: broker.Position{Epoch: epoch, Offset: offset}, Since: oldest}
	}
	w.learn(token, last)
	return broker.Head{Room: name, Position: broker.Position{Epoch: epoch, Offset: last.sequence, Tag: last.tag}, At: last.at}
}

// offsetOf is the offset of a room that is found empty at a time.
func offsetOf(at time.Time) uint64 { return uint64(max(0, min(at.Unix(), firstSequence-1))) }

// mark has rooms pass that were found empty.
func (b *Broker) mark() {
	for _, w := range b.workers {
		w.mark()
	}
}

// oldest is the lowest offset of an empty position after which no message can have
// left the disk by now, except by a purge; 0 if that cannot be told. The clocks of
// the servers that wrote the times may differ.
func (b *Broker) oldest(partition int, now time.Time) uint64 {
	if b.options.MaxBytes > 0 {
		return 0
	}
	oldest := int64(1)
	for _, s := range b.fleet.Load().byPartition[partition] {
		if s.kept > 0 {
			oldest = max(oldest, now.Add(skew-s.kept+s.kept/10).Unix()+1)
		}
	}
	if oldest > now.Unix() {
		return 0
	}
	return uint64(oldest)
}

// firstAfter reports whether a message for which the stream found none before it
// in its room is the first one since the room was found empty at an offset, so
// that nobody need ask what came between. The leader found no message, after this
// node's subscription had reached it, and said "none" again when it recorded this
// one. A message in between would have been there then, unless it had left: by
// age or bytes, which oldest excludes; by a purge, which gives the room another
// epoch and makes it uncertain; or because the store lost it, and then it is this
// one that follows. What was under way when the room was found empty, and is of
// before that, is delivered before the mark that lets the room pass.
func (b *Broker) firstAfter(partition int, empty uint64, recorded time.Time) bool {
	oldest := b.oldest(partition, recorded)
	return oldest != 0 && empty >= oldest
}

// forgotten reports whether a message of that time may have left the disk by age.
func (b *Broker) forgotten(partition int, recorded, now time.Time) bool {
	for _, s := range b.fleet.Load().byPartition[partition] {
		if s.kept > 0 && now.Sub(recorded) >= s.kept-s.kept/10 {
			return true
		}
	}
	return false
}

// lasts are the last messages of rooms, as one look at the streams found them.
type lasts struct {
	at time.Time // when, by the store's clock

	mu    sync.Mutex
	found map[string]*record // by room
	upTo  []uint64           // of each stream, by its index: nothing up to here is missing
}

// take keeps a room's last message. A room has messages in one stream; if it was
// published to with several profiles, the last one counts.
func (l *lasts) take(s *stream, room string, r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.found[room]; have == nil || have.at.Before(r.at) {
		r.data, r.stream = nil, s
		l.found[room] = &r
	}
}

// lasts reads the last messages of rooms: all of them, or, with a sequence for
// each stream, those that are younger. What is committed after it has looked is
// delivered to the rooms that were open before. With sounded it says how far it
// has looked.
func (b *Broker) lasts(ctx context.Context, rooms []string, since []uint64, sounded bool) (*lasts, error) {
	f := b.fleet.Load()
	l := &lasts{found: map[string]*record{}, upTo: make([]uint64, len(f.streams))}
	copy(l.upTo, since)
	parts := make([][]string, b.layout.partitions)
	for _, name := range rooms {
		p := b.layout.partition(name)
		parts[p] = append(parts[p], name)
	}
	err := b.learnEpochs(ctx)
	if err != nil {
		return nil, unserved(ctx, err)
	}
	var g group
	for p, names := range parts {
		if len(names) == 0 {
			continue
		}
		for _, s := range f.byPartition[p] {
			g.Go(func() error {
				if !sounded && len(names) <= fewRooms {
					return b.fewHeads(ctx, l, s, names)
				}
				from := uint64(0)
				if s.index < len(since) {
					from = since[s.index]
				}
				return b.manyHeads(ctx, l, s, names, from)
			})
		}
	}
	if err := g.Wait(); err != nil {
		return nil, unserved(ctx, err)
	}
	l.at = b.storeNow()
	return l, nil
}

func (b *Broker) fewHeads(ctx context.Context, l *lasts, s *stream, rooms []string) error {
	if err := b.barrier(ctx, s); err != nil {
		return err
	}
	var g group
	for _, name := range rooms {
		g.Go(func() error {
			m, err := b.leaderGet(ctx, s.name, leaderQuestion{LastFor: s.prefix + tokenOf(name)})
			if isCode(err, codeNoMessage) {
				return nil
			}
			if err == nil {
				l.take(s, name, m.record())
			}
			return err
		})
	}
	return g.Wait()
}

// manyHeads asks replicas. A sounding says how far they must have come.
func (b *Broker) manyHeads(ctx context.Context, l *lasts, s *stream, rooms []string, since uint64) error {
	sounding, err := b.sound(ctx, s)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.upTo[s.index] = sounding
	l.mu.Unlock()
	names := make(map[string]string, len(rooms)) // by token
	for _, name := range rooms {
		names[tokenOf(name)] = name
	}
	for len(rooms) > 0 {
		subjects := []string{s.prefix + "~" + b.id} // is always found, so that the answer is never only that there is none
		size := 0
		for len(rooms) > 0 && len(subjects) <= manyRooms && size < manyRoomsBytes {
			subject := s.prefix + tokenOf(rooms[0])
			subjects, size, rooms = append(subjects, subject), size+len(subject), rooms[1:]
		}
		err := b.again(ctx, func() error { return b.someHeads(ctx, l, s, subjects, names, since, sounding) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *Broker) someHeads(ctx context.Context, l *lasts, s *stream, subjects []string, names map[string]string, since, sounding uint64) error {
	for {
		got, err := b.directGet(ctx, s.name, directQuestion{LastFor: subjects, Sequence: since + 1, MaxBytes: batchBytes})
		switch {
		case err != nil:
			return err
		case got.none, got.upTo < sounding:
			return fmt.Errorf("%w: stream %s ends at %d, not at %d", errStale, s.name, got.upTo, sounding)
		}
		for _, m := range got.messages {
			token := header(m.Header, headerSubject)[len(s.prefix):]
			if name, ok := names[token]; ok {
				l.take(s, name, recordFrom(m))
			}
		}
		if got.pending == 0 {
			return nil
		}
		if len(got.messages) == 0 {
			return errBroken
		}
		// The answers were too long for one go. They come by sequence, so the rest is
		// younger than the last.
		since = number(got.messages[len(got.messages)-1].Header, headerSequence)
	}
}

// Heads is documented at broker.Broker.
func (b *Broker) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	if err := b.ready(ctx, rooms...); err != nil {
		return nil, since, err
	}
	doubts, note := b.doubts.Load(), b.epochs.knownTo()
	from := b.parseMark(since)
	found, err := b.lasts(ctx, rooms, from.streams(), true)
	if err != nil {
		return nil, since, err
	}
	if from != nil && from.doubts != b.doubts.Load() { // something was found lost meanwhile
		from = nil
		if found, err = b.lasts(ctx, rooms, nil, true); err != nil {
			return nil, since, err
		}
	}
	var changed []broker.Head
	for _, name := range rooms {
		last := found.found[name]
		if from == nil || last != nil || b.epochs.purgedSince(tokenOf(name), from.note) {
			changed = append(changed, b.head(name, last, found.at))
		}
	}
	b.mark()
	next := mark{life: b.life36, doubts: doubts, note: note, upTo: found.upTo}
	return changed, next.text(), nil
}
