package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	Created    time.Time      `json:"created"`
	Profile    broker.Profile `json:"profile"` // of the node that made it
	Partition  int            `json:"partition"`
	Partitions int            `json:"partitions"`
	Life       uint64         `json:"life"` // streams of this name before it
	sequence   uint64         // of the note
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

func (e *epochs) noteOf(stream string) streamNote {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.made[stream]
}

// A note as it stands in the state stream: under a room's token, or under ~ and
// the name of a stream.
type note struct {
	name     string
	sequence uint64
	expired  bool // it is the marker of one that has expired
	data     []byte
}

// A change is what a note is about: a room that was purged, or a stream.
type change struct {
	purged    string // token
	stream    string
	partition int // of the stream
}

// apply takes a note, and reports whether an epoch is another one now. Notes may
// come twice and late.
func (e *epochs) apply(n note) (change, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if stream, ok := strings.CutPrefix(n.name, "~"); ok {
		var s streamNote
		if json.Unmarshal(n.data, &s) != nil || s.Partition < 0 || s.Partition >= len(e.partitions) || s.Life < e.made[stream].Life {
			return change{}, false
		}
		s.sequence = max(n.sequence, e.made[stream].sequence)
		e.made[stream] = s
		before := e.partitions[s.Partition]
		e.partitions[s.Partition] = e.partitionEpoch(s.Partition)
		return change{stream: stream, partition: s.Partition}, e.partitions[s.Partition] != before
	}
	before, purged := e.purges[n.name]
	switch {
	case n.sequence <= before, n.expired && !purged:
		return change{}, false
	case n.expired:
		delete(e.purges, n.name)
	default:
		e.purges[n.name] = n.sequence
	}
	return change{purged: n.name}, true
}

func (e *epochs) knows(sequence uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known = max(e.known, sequence)
}

// purged lists the rooms that were purged, with the sequences of the notes.
func (e *epochs) purged() map[string]uint64 {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return maps.Clone(e.purges)
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
func (b *Broker) takeNote(n note) {
	c, changed := b.epochs.apply(n)
	if c.stream != "" && b.fleet.Load().byName[c.stream] == nil {
		b.kick() // another node has a profile that this one was not given
	}
	switch {
	case !changed:
	case c.stream != "":
		b.forgetPartition(c.partition)
		b.doubt(b.openRooms(c.partition), errStreamAnew)
	default:
		if room, ok := nameOf(c.purged); ok {
			b.workerOf(c.purged).learn(c.purged, nil)
			b.tellUncertain(broker.Scope{Rooms: []string{room}}, broker.ErrPurged)
		}
	}
}

// readNotes reads the notes from a sequence on, through the leader of the state
// stream. It costs one question more than there are notes.
func (b *Broker) readNotes(ctx context.Context, from uint64) (notes []note, err error) {
	for {
		m, err := b.leaderGet(ctx, b.layout.stateStream(), leaderQuestion{Sequence: from, NextFor: b.layout.epoch("*")})
		if isCode(err, codeNoMessage) {
			return notes, nil
		}
		if err != nil {
			return nil, err
		}
		notes = append(notes, note{m.Subject[len(b.layout.epoch("")):], m.Sequence, header(m.Header, headerMarker) != "", m.Data})
		from = m.Sequence + 1
	}
}

// learnEpochs reads the notes that this node does not know yet.
func (b *Broker) learnEpochs(ctx context.Context) error {
	notes, err := b.readNotes(ctx, b.epochs.knownTo()+1)
	if err != nil {
		return err
	}
	for _, n := range notes {
		b.takeNote(n)
		b.epochs.knows(n.sequence)
	}
	return nil
}

// relearnEpochs reads all notes: one that expired long ago left nothing that
// would tell.
func (b *Broker) relearnEpochs(ctx context.Context) error {
	before := b.epochs.purged()
	notes, err := b.readNotes(ctx, 1)
	if err != nil {
		return err
	}
	for _, n := range notes {
		delete(before, n.name)
		b.takeNote(n)
		b.epochs.knows(n.sequence)
	}
	for name, sequence := range before {
		b.takeNote(note{name: name, sequence: sequence + 1, expired: true})
	}
	return nil
}

// errSettled: something is settled otherwise, and trying on has no use.
var errSettled = errors.New("nats")

// noteStreams writes down which streams of this name are the current ones, and
// counts those that were made anew since the last note.
func (b *Broker) noteStreams(ctx context.Context, created map[string]time.Time) error {
	for _, s := range b.ownStreams() {
		for try := 0; ; try++ {
			known := b.epochs.noteOf(s.name)
			if known.sequence > 0 && known.Partitions != b.layout.partitions {
				return fmt.Errorf("%w: the namespace %q has %d partitions, and Options.Partitions is %d: they are fixed when it is first used", errSettled, b.layout.ns, known.Partitions, b.layout.partitions)
			}
			if known.sequence > 0 && known.Created.Equal(created[s.name]) {
				break
			}
			n := streamNote{Created: created[s.name], Profile: *s.profile, Partition: s.partition, Partitions: b.layout.partitions, Life: known.Life}
			if known.sequence > 0 {
				n.Life++
			}
			err := b.writeNote(ctx, "~"+s.name, known.sequence, n)
			if err == nil {
				break
			}
			if try == 10 || !isCode(err, codeLastSequence) {
				return unserved(ctx, err)
			}
			if err := b.learnEpochs(ctx); err != nil { // another node was faster
				return unserved(ctx, err)
			}
		}
	}
	return nil
}

// findStreams looks for history streams of profiles that this node was not given:
// another node's rooms may be in them.
func (b *Broker) findStreams(ctx context.Context) error {
	for name, n := range b.epochs.noted() {
		s := b.fleet.Load().byName[name]
		if s == nil {
			profile := n.Profile
			if s = b.newStream(&profile, n.Partition); s.name != name {
				continue
			}
		}
		if b.profiles[s.profile.Name] != nil {
			continue
		}
		_, err := b.streamInfo(ctx, name, "")
		gone := isCode(err, codeStreamMissing)
		if err != nil && !gone {
			return err
		}
		f := b.fleet.Load()
		if there := slices.Contains(f.byPartition[n.Partition], s); there == gone {
			if gone {
				s.sick.Store(false) // nothing is to be had from it
				f = f.without(s)
			} else {
				f = f.with(s)
			}
			b.fleet.Store(f)
			b.doubt(b.openRooms(n.Partition), errStreamAnew)
		}
	}
	return nil
}

// noted lists the notes about streams.
func (e *epochs) noted() map[string]streamNote {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return maps.Clone(e.made)
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
	b.takeNote(note{name: name, sequence: ack.Sequence, data: data})
	return nil
}

// halfDone is the error of a purge: broker.ErrUnavailable only if nothing was done.
func halfDone(ctx context.Context, err error, begun bool) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case begun || errors.Is(err, errUnanswered):
		return fmt.Errorf("nats: the purge may be half done; do it again: %v", err)
	}
	return unserved(ctx, err)
}

// Purge is documented at broker.Broker. An error may leave the room purged with
// the epoch that it had; who calls again has it done.
func (b *Broker) Purge(ctx context.Context, room string) error {
	if err := b.ready(ctx, room); err != nil {
		return err
	}
	token := tokenOf(room)
	for i, s := range b.streamsOf(room) {
		err := b.askAPI(ctx, "STREAM.PURGE."+s.name, map[string]string{"filter": s.prefix + token}, nil)
		if err != nil {
			return halfDone(ctx, err, i > 0)
		}
	}
	// The note comes second: with the new epoch no old message is there any more.
	m := natsgo.NewMsg(b.layout.epoch(token))
	m.Header[headerTTL] = []string{purgeNoteTTL.String()}
	ack, err := b.store(ctx, m)
	if err != nil {
		return halfDone(ctx, err, true)
	}
	b.takeNote(note{name: token, sequence: ack.Sequence})
	return nil
}
