package nats

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// epochs knows the epoch of every room. It is the time at which the namespace's
// state stream was created, with how often streams of the room's partition had to
// be made anew, and which purge of the room was the last. The latter two are
// notes in the state stream, which each node holds in memory; they are few.
type epochs struct {
	mu         sync.RWMutex
	base       string            // the namespace's
	known      uint64            // all notes up to this sequence of the state stream were read
	purges     map[string]uint64 // sequence of the note, by the room's token
	made       map[string]streamNote
	partitions []string // epoch of rooms that were never purged
}

// A streamNote says which life of a stream is the current one.
type streamNote struct {
	Created    time.Time `json:"created"`
	Partition  int       `json:"partition"`
	Partitions int       `json:"partitions"`
	Life       uint64    `json:"life"` // streams of this name before it
	sequence   uint64    // of the note
}

// purgeNoteTTL is how long a purge is remembered. Afterwards the room has the
// epoch again that it had before, which does no harm: no sequence is ever used
// again.
const purgeNoteTTL = 30 * 24 * time.Hour

func newEpochs(stateCreated time.Time, partitions int) *epochs {
	e := &epochs{partitions: make([]string, partitions)}
	e.rebase(stateCreated)
	return e
}

// rebase begins anew with another state stream, and reports whether it is
// another.
func (e *epochs) rebase(stateCreated time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	base := strconv.FormatInt(stateCreated.UnixMilli(), 36)
	if base == e.base {
		return false
	}
	e.base, e.known = base, 0
	e.purges, e.made = map[string]uint64{}, map[string]streamNote{}
	for p := range e.partitions {
		e.partitions[p] = base
	}
	return true
}

// of returns the epoch of a room.
func (e *epochs) of(token string, partition int) string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	epoch := e.partitions[partition]
	if len(e.purges) == 0 {
		return epoch
	}
	if purge, ok := e.purges[token]; ok {
		return epoch + "_" + strconv.FormatUint(purge, 36)
	}
	return epoch
}

func (e *epochs) knownTo() uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.known
}

// purgedSince reports whether a room was purged by a note after that one.
func (e *epochs) purgedSince(token string, note uint64) bool {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.purges[token] > note
}

func (e *epochs) note(stream string) streamNote {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.made[stream]
}

// A change is what a note changed: a room was purged, or the epoch of a partition
// is another (if it is not negative).
type change struct {
	purged    string // token
	partition int
}

// apply takes a note that stands under name. Notes may come twice and late.
func (e *epochs) apply(name string, sequence uint64, expired bool, data []byte) (change, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if stream, ok := strings.CutPrefix(name, "~"); ok {
		var n streamNote
		if json.Unmarshal(data, &n) != nil || n.Partition < 0 || n.Partition >= len(e.partitions) || n.Life < e.made[stream].Life {
			return change{}, false
		}
		n.sequence = max(sequence, e.made[stream].sequence)
		e.made[stream] = n
		before := e.partitions[n.Partition]
		e.partitions[n.Partition] = e.partitionEpoch(n.Partition)
		return change{partition: n.Partition}, e.partitions[n.Partition] != before
	}
	before, purged := e.purges[name]
	switch {
	case sequence <= before, expired && !purged:
		return change{}, false
	case expired:
		delete(e.purges, name)
	default:
		e.purges[name] = sequence
	}
	return change{purged: name, partition: -1}, true
}

func (e *epochs) partitionEpoch(partition int) string {
	var lives uint64
	for _, n := range e.made {
		if n.Partition == partition {
			lives += n.Life
		}
	}
	if lives == 0 {
		return e.base
	}
	return e.base + "-" + strconv.FormatUint(lives, 36)
}

// takeNote applies a note and tells the sink what it changes.
func (b *Broker) takeNote(name string, sequence uint64, expired bool, data []byte) {
	c, changed := b.epochs.apply(name, sequence, expired, data)
	switch {
	case !changed:
	case c.partition >= 0:
		b.forgetPartition(c.partition)
		b.doubt(b.openRooms(c.partition), errStreamAnew)
	default:
		if room, ok := nameOf(c.purged); ok {
			b.workerOf(c.purged).learn(c.purged, nil)
			b.tellUncertain(broker.Scope{Rooms: []string{room}}, broker.ErrPurged)
		}
	}
}

// learnEpochs reads the notes that this node does not know yet, through the
// leader of the state stream. It costs one question when there are none.
func (b *Broker) learnEpochs(ctx context.Context) error {
	for {
		m, err := b.leaderGet(ctx, b.layout.stateStream(), leaderQuestion{Sequence: b.epochs.knownTo() + 1, NextFor: b.layout.epoch("*")})
		if isCode(err, codeNoMessage) {
			return nil
		}
		if err != nil {
			return err
		}
		name := m.Subject[len(b.layout.epoch("")):]
		b.takeNote(name, m.Sequence, header(m.Header, headerMarker) != "", m.Data)
		b.epochs.mu.Lock()
		b.epochs.known = max(b.epochs.known, m.Sequence)
		b.epochs.mu.Unlock()
	}
}

// relearnEpochs forgets the purges and reads all notes: one that expired long
// ago left nothing to be read.
func (b *Broker) relearnEpochs(ctx context.Context) error {
	e := b.epochs
	e.mu.Lock()
	before := maps.Clone(e.purges)
	known := e.known
	e.known = 0
	clear(e.purges)
	e.mu.Unlock()
	err := b.learnEpochs(ctx)
	e.mu.Lock()
	defer e.mu.Unlock()
	if err != nil { // what was known is better than nothing
		for name, sequence := range before {
			e.purges[name] = max(sequence, e.purges[name])
		}
	}
	e.known = max(known, e.known)
	return err
}

// noteStreams writes down which streams of this name are the current ones, and
// counts those that were made anew since the last note.
func (b *Broker) noteStreams(ctx context.Context, created map[string]time.Time) error {
	for _, s := range b.streams {
		for try := 0; ; try++ {
			known := b.epochs.note(s.name)
			if known.sequence > 0 && known.Partitions != b.layout.partitions {
				return fmt.Errorf("nats: the namespace %q has %d partitions, and Options.Partitions is %d: they are fixed when it is first used", b.layout.ns, known.Partitions, b.layout.partitions)
			}
			if known.sequence > 0 && known.Created.Equal(created[s.name]) {
				break
			}
			n := streamNote{Created: created[s.name], Partition: s.partition, Partitions: b.layout.partitions, Life: known.Life}
			if known.sequence > 0 {
				n.Life++
			}
			err := b.writeNote(ctx, "~"+s.name, known.sequence, n)
			if err == nil {
				break
			}
			if try == 10 || !isCode(err, codeLastSequence) {
				return err
			}
			if err := b.learnEpochs(ctx); err != nil { // another node was faster
				return err
			}
		}
	}
	return nil
}

func (b *Broker) writeNote(ctx context.Context, name string, expected uint64, n streamNote) error {
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	m := natsgo.NewMsg(b.layout.epoch(name))
	m.Data = data
	m.Header[headerExpected] = []string{strconv.FormatUint(expected, 10)}
	ack, err := b.store(ctx, m)
	if err != nil {
		return err
	}
	b.takeNote(name, ack.Sequence, false, data)
	return nil
}

// Purge is documented at broker.Broker.
func (b *Broker) Purge(ctx context.Context, room string) error {
	if err := b.ready(ctx, room); err != nil {
		return err
	}
	token := tokenOf(room)
	for _, s := range b.byPartition[b.layout.partition(room)] {
		if err := b.askAPI(ctx, "STREAM.PURGE."+s.name, map[string]string{"filter": s.prefix + token}, nil); err != nil {
			return unserved(ctx, err)
		}
	}
	// The note comes second: with the new epoch no old message is there any more.
	m := natsgo.NewMsg(b.layout.epoch(token))
	m.Header[headerTTL] = []string{purgeNoteTTL.String()}
	ack, err := b.store(ctx, m)
	if err != nil {
		return unserved(ctx, err)
	}
	b.takeNote(token, ack.Sequence, false, nil)
	return nil
}
