package nats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/finch-go/finch/broker"
)

// A stream holds the messages of the rooms of one profile and partition.
type stream struct {
	name      string
	prefix    string // of subjects; a room's token follows
	index     int    // among all, in the order of marks
	partition int
	profile   *broker.Profile
	kept      time.Duration // on disk; 0 is for ever
	depth     int           // messages of a room on disk

	seen atomic.Uint64 // highest sequence delivered to this node or acknowledged
	sick atomic.Bool   // it took no message when it was tried last
	sounder
}

// saw notes that a sequence exists.
func (s *stream) saw(sequence uint64) {
	for {
		seen := s.seen.Load()
		if sequence <= seen || s.seen.CompareAndSwap(seen, sequence) {
			return
		}
	}
}

// A fleet is the history streams that the node knows. It is not changed; a
// larger one takes its place when another node brings a profile that this one was
// not given.
type fleet struct {
	streams     []*stream // by index
	byName      map[string]*stream
	byPartition [][]*stream
}

// layStreams makes the streams of the node's profiles.
func (b *Broker) layStreams() {
	names := slices.Sorted(maps.Keys(b.profiles))
	f := &fleet{byName: map[string]*stream{}, byPartition: make([][]*stream, b.layout.partitions)}
	for p := range b.layout.partitions {
		for _, name := range names {
			f = f.with(b.newStream(b.profiles[name], p))
		}
	}
	b.fleet.Store(f)
}

func (b *Broker) newStream(p *broker.Profile, partition int) *stream {
	return &stream{
		name: b.layout.history(p.Name, partition), prefix: b.layout.historyPrefix(p.Name, partition),
		partition: partition, profile: p, kept: keptOnDisk(p, b.options.ForgetAfter), depth: depth(p),
	}
}

// with is f and one more stream, or one that is there again.
func (f *fleet) with(s *stream) *fleet {
	larger := *f
	if f.byName[s.name] == nil {
		s.index = len(f.streams)
		larger.streams = append(slices.Clone(f.streams), s)
		larger.byName = maps.Clone(f.byName)
		larger.byName[s.name] = s
	}
	larger.byPartition = slices.Clone(f.byPartition)
	larger.byPartition[s.partition] = append(slices.Clone(f.byPartition[s.partition]), s)
	return &larger
}

// without is f, and a stream that is not there any more is not asked.
func (f *fleet) without(s *stream) *fleet {
	smaller := *f
	smaller.byPartition = slices.Clone(f.byPartition)
	smaller.byPartition[s.partition] = slices.DeleteFunc(slices.Clone(f.byPartition[s.partition]), func(other *stream) bool { return other == s })
	return &smaller
}

// streamsOf a room are those that may have its messages.
func (b *Broker) streamsOf(room string) []*stream {
	return b.fleet.Load().byPartition[b.layout.partition(room)]
}

// streamFor what is published to a room with a profile; nil if the node was not
// given it.
func (b *Broker) streamFor(room, profile string) *stream {
	if b.profiles[profile] == nil {
		return nil
	}
	for _, s := range b.streamsOf(room) {
		if s.profile.Name == profile {
			return s
		}
	}
	return nil
}

// ownStreams are those of the node's profiles, which it makes and keeps.
func (b *Broker) ownStreams() (own []*stream) {
	for _, s := range b.fleet.Load().streams {
		if b.profiles[s.profile.Name] != nil {
			own = append(own, s)
		}
	}
	return own
}

// A republish copies what a stream has stored to another subject.
type republish struct {
	Source      string `json:"src"`
	Destination string `json:"dest"`
}

// A streamWanted is the configuration that Finch needs, as JetStream's API spells
// it.
type streamWanted struct {
	Name         string        `json:"name"`
	Subjects     []string      `json:"subjects"`
	Description  string        `json:"description"`
	Retention    string        `json:"retention"`
	Storage      string        `json:"storage"`
	Discard      string        `json:"discard"`
	MaxConsumers int           `json:"max_consumers"`
	MaxMsgs      int64         `json:"max_msgs"`
	MaxMsgSize   int           `json:"max_msg_size"`
	MaxBytes     int64         `json:"max_bytes"`
	MaxAge       time.Duration `json:"max_age"`
	PerSubject   int64         `json:"max_msgs_per_subject"`
	Dedupe       time.Duration `json:"duplicate_window,omitempty"`
	Replicas     int           `json:"num_replicas"`
	AllowDirect  bool          `json:"allow_direct"`
	AllowTTL     bool          `json:"allow_msg_ttl"`
	AllowRollup  bool          `json:"allow_rollup_hdrs"`
	MarkerTTL    time.Duration `json:"subject_delete_marker_ttl,omitempty"`
	FirstSeq     uint64        `json:"first_seq,omitempty"`
	Republish    *republish    `json:"republish,omitempty"`
}

// A streamSeen is the configuration that a stream has.
type streamSeen struct {
	streamWanted
	Mirror    json.RawMessage   `json:"mirror"`
	Sources   []json.RawMessage `json:"sources"`
	NoAck     bool              `json:"no_ack"`
	Sealed    bool              `json:"sealed"`
	DenyPurge bool              `json:"deny_purge"`
}

// markerTTL is how long the note that a lease or a purge has expired can be read
// by whoever missed it live.
const markerTTL = time.Hour

// wantedStreams are the streams of the namespace: the node's history streams, and
// those of leases and shares.
func (b *Broker) wantedStreams(replicas int) []streamWanted {
	base := streamWanted{
		Retention: "limits", Storage: "file", Discard: "old", MaxConsumers: -1, MaxMsgs: -1, MaxMsgSize: -1, MaxBytes: -1,
		Replicas: replicas, AllowDirect: true, AllowTTL: true,
	}
	l := b.layout
	state, shares := base, base
	state.Name, state.Subjects, state.PerSubject = l.stateStream(), []string{l.ns + ".s.>"}, 1
	state.Description = "Finch: leases of nodes, epochs of rooms"
	state.MarkerTTL, state.AllowRollup = markerTTL, true
	state.Republish = &republish{l.ns + ".s.*.*", l.ns + ".w.{{wildcard(1)}}.{{wildcard(2)}}"}
	shares.Name, shares.Subjects, shares.PerSubject = l.sharesStream(), []string{l.ns + ".share.*.*"}, 1
	shares.Description = "Finch: how many members of a room each node has"
	wanted := []streamWanted{state, shares}
	for _, s := range b.ownStreams() {
		w := base
		w.Name, w.Subjects, w.PerSubject, w.MaxAge = s.name, []string{s.prefix + "*"}, int64(s.depth), s.kept
		w.Description = fmt.Sprintf("Finch: messages of rooms with the history profile %q", s.profile.Name)
		w.Dedupe, w.FirstSeq = b.options.DedupeWindow, firstSequence
		w.Republish = &republish{s.prefix + "*", l.live() + "{{wildcard(1)}}"}
		if b.options.MaxBytes > 0 {
			w.MaxBytes = b.options.MaxBytes
		}
		wanted = append(wanted, w)
	}
	return wanted
}

// ensureStreams makes the streams that are missing, changes what may be changed
// of those that are there, and returns when each was created.
func (b *Broker) ensureStreams(ctx context.Context) (map[string]time.Time, error) {
	replicas := b.options.Replicas
	if replicas == 0 {
		replicas = 1
		if b.link.conn.ConnectedClusterName() != "" {
			replicas = 3
		}
	}
	var (
		mu      sync.Mutex
		wg      sync.WaitGroup
		failed  error
		created = map[string]time.Time{}
		turn    = make(chan struct{}, 8)
	)
	for _, w := range b.wantedStreams(replicas) {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			at, err := b.ensureStream(ctx, w)
			mu.Lock()
			defer mu.Unlock()
			if created[w.Name] = at; err != nil && failed == nil {
				failed = err
			}
		})
	}
	wg.Wait()
	return created, failed
}

// ensureStream tries on while time may help.
func (b *Broker) ensureStream(ctx context.Context, w streamWanted) (time.Time, error) {
	for try := 1; ; try++ {
		at, err := b.ensureStreamOnce(ctx, w)
		if err == nil || ctx.Err() != nil || !passing(err) {
			return at, unsettled(w, err)
		}
		if try == 5 {
			b.log.Warn("nats: a stream cannot be made yet; trying on", "stream", w.Name, "err", err)
		}
		if !pause(ctx, min(time.Duration(try)*50*time.Millisecond, time.Second)) {
			return at, unsettled(w, err)
		}
	}
}

func unsettled(w streamWanted, err error) error {
	switch {
	case err == nil:
		return nil
	case isCode(err, codeNotClustered):
		return fmt.Errorf("nats: Options.Replicas is %d, but the server is alone: %w", w.Replicas, err)
	case errors.Is(err, errSettled):
		return err
	case isCode(err, codeNoPeers):
		return fmt.Errorf("%w: nats: stream %s is to have %d replicas, and the cluster has not so many servers with JetStream now (see Options.Replicas): %w", broker.ErrUnavailable, w.Name, w.Replicas, err)
	}
	return fmt.Errorf("%w: nats: stream %s: %w", broker.ErrUnavailable, w.Name, err)
}

func (b *Broker) ensureStreamOnce(ctx context.Context, w streamWanted) (time.Time, error) {
	var info streamInfo
	err := b.askAPI(ctx, "STREAM.INFO."+w.Name, nil, &info)
	if isCode(err, codeStreamMissing) {
		if err = b.askAPI(ctx, "STREAM.CREATE."+w.Name, w, &info); isCode(err, codeStreamName) { // another node was faster
			err = b.askAPI(ctx, "STREAM.INFO."+w.Name, nil, &info)
		}
	}
	if err != nil {
		return time.Time{}, err
	}
	if err := w.fault(info.Config); err != nil {
		return time.Time{}, err
	}
	if w.differs(info.Config, b.options.Replicas != 0) {
		if err := b.changeStream(ctx, w); err != nil {
			return time.Time{}, err
		}
	}
	return info.Created, nil
}

// fault says what of a stream cannot be changed and is not as Finch needs it.
func (w streamWanted) fault(is streamSeen) error {
	var what string
	switch {
	case !slices.Equal(is.Subjects, w.Subjects):
		what = fmt.Sprintf("holds the subjects %q instead of %q", is.Subjects, w.Subjects)
	case is.Storage != w.Storage:
		what = fmt.Sprintf("has storage %q instead of %q", is.Storage, w.Storage)
	case is.Retention != w.Retention:
		what = fmt.Sprintf("has retention %q instead of %q", is.Retention, w.Retention)
	case is.Discard != w.Discard:
		what = fmt.Sprintf("discards %q messages instead of %q", is.Discard, w.Discard)
	case is.FirstSeq != w.FirstSeq:
		what = fmt.Sprintf("began with sequence %d instead of %d", is.FirstSeq, w.FirstSeq)
	case is.MarkerTTL != w.MarkerTTL:
		what = fmt.Sprintf("keeps delete markers for %v instead of %v", is.MarkerTTL, w.MarkerTTL)
	case !is.AllowDirect || !is.AllowTTL:
		what = "does not allow direct reads and times to live for messages"
	case is.NoAck || is.Sealed || is.DenyPurge || is.MaxMsgs > 0 || is.MaxMsgSize > 0:
		what = "refuses writing, acknowledging or purging, or bounds messages"
	case len(is.Sources) > 0 || len(is.Mirror) > 0 && string(is.Mirror) != "null":
		what = "copies other streams"
	case (is.Republish == nil) != (w.Republish == nil), w.Republish != nil && *is.Republish != *w.Republish:
		what = "republishes elsewhere, or not at all"
	default:
		return nil
	}
	return fmt.Errorf("%w: stream %s %s: something else made it, or changed it; delete it (nats stream rm %s) or choose another Options.Namespace", errSettled, w.Name, what, w.Name)
}

// differs says whether anything is otherwise that may be changed.
func (w streamWanted) differs(is streamSeen, replicas bool) bool {
	return is.MaxAge != w.MaxAge || is.PerSubject != w.PerSubject || is.MaxBytes != w.MaxBytes ||
		w.Dedupe != 0 && is.Dedupe != w.Dedupe || replicas && is.Replicas != w.Replicas
}

// changeStream changes of the configuration that the stream has what Finch wants
// otherwise; the rest may have been set by an operator or by a newer server.
func (b *Broker) changeStream(ctx context.Context, w streamWanted) error {
	var has struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	if err := b.askAPI(ctx, "STREAM.INFO."+w.Name, nil, &has); err != nil {
		return err
	}
	set := func(key string, value any) { has.Config[key], _ = json.Marshal(value) } // numbers never fail
	set("max_age", w.MaxAge)
	set("max_msgs_per_subject", w.PerSubject)
	set("max_bytes", w.MaxBytes)
	if w.Dedupe != 0 {
		set("duplicate_window", w.Dedupe)
	}
	if b.options.Replicas != 0 {
		set("num_replicas", w.Replicas)
	}
	return b.askAPI(ctx, "STREAM.UPDATE."+w.Name, has.Config, nil)
}
