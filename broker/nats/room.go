package nats

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// A room is one that this node has open.
type room struct {
	name string
	sub  *natsgo.Subscription
	knowledge
}

// knowledge is what is known of a room, guarded by its worker's lock.
type knowledge struct {
	// The last message that is known: it stays the room's head when it has left the
	// disk. With a tag of 0 none is, and sequence is the offset of the empty position
	// at which the room was found, 0 if it was not.
	sequence uint64
	tag      uint64
	at       int64  // nanoseconds since 1970
	stream   uint16 // index of the message's
	// passed: all that had come when the room was found empty has been delivered,
	// and the mark that was put behind it was taken.
	passed bool
	mark   *natsgo.Msg
}

// forget lets go of what is known.
func (r *room) forget() { r.knowledge = knowledge{} }

// knows notes a message, unless a later one is known.
func (r *room) knows(rec *record) {
	if rec.sequence >= r.sequence {
		r.sequence, r.tag, r.at = rec.sequence, rec.tag, rec.at.UnixNano()
		r.stream = uint16(rec.stream.index)
	}
}

// empty is the offset at which the room was found empty, if a message that the
// store calls the first one follows it; else 0. See [Broker.firstAfter].
func (r *room) empty() uint64 {
	if r.tag != 0 || !r.passed {
		return 0
	}
	return r.sequence
}

// queueLength is how many messages may wait for a worker. Past it nats.go drops
// them, and the worker's rooms are called uncertain.
const queueLength = 8192

// A worker brings the messages of its part of the rooms to the sink, one after
// another: that is what makes calls for one room sequential. Rooms share its
// queue and its goroutine, which ends with the broker.
type worker struct {
	b     *Broker
	queue chan *natsgo.Msg

	mu    sync.Mutex       // never held while the sink is called
	rooms map[string]*room // by live subject
	found []*room          // empty since the last mark was put into the queue
	marks map[*natsgo.Msg][]*room

	// The goroutine's own.
	dials  uint64 // attempts to connect that were answered for
	choked bool   // messages may have been dropped
}

func newWorker(b *Broker) *worker {
	return &worker{b: b, queue: make(chan *natsgo.Msg, queueLength), rooms: map[string]*room{}, marks: map[*natsgo.Msg][]*room{}, dials: b.link.dials.Load()}
}

// workerOf a room's token.
func (b *Broker) workerOf(token string) *worker {
	return b.workers[hashOf(token)%uint32(len(b.workers))]
}

// hashOf spreads tokens (FNV-1a, of 32 bits).
func hashOf(token string) uint32 {
	h := uint32(2166136261)
	for i := range len(token) {
		h = (h ^ uint32(token[i])) * 16777619
	}
	return h
}

// open subscribes to a room's live subject, if that is not done yet.
func (w *worker) open(name, token string) error {
	subject := w.b.layout.live() + token
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rooms[subject] != nil {
		return nil
	}
	sub, err := w.b.link.conn.ChanSubscribe(subject, w.queue)
	if err != nil {
		return fmt.Errorf("%w: nats: cannot subscribe: %w", broker.ErrUnavailable, err)
	}
	w.rooms[sub.Subject] = &room{name: strings.Clone(name), sub: sub}
	return nil
}

// release ends what open began.
func (w *worker) release(token string) {
	subject := w.b.layout.live() + token
	w.mu.Lock()
	r := w.rooms[subject]
	delete(w.rooms, subject)
	w.mu.Unlock()
	if r != nil {
		r.sub.Unsubscribe() // fails only if the connection is closed
	}
}

// known returns the last message known of an open room.
func (w *worker) known(token string) (record, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rooms[w.b.layout.live()+token]; r != nil && r.tag != 0 {
		return record{stream: w.b.fleet.Load().streams[r.stream], sequence: r.sequence, tag: r.tag, at: time.Unix(0, r.at)}, true
	}
	return record{}, false
}

// vacant notes that a room was found empty at an offset, and returns the offset
// that stands for that: the one at which it was found so before, if that is not
// below oldest. So readers who came at different times stand at one position.
func (w *worker) vacant(token string, offset, oldest uint64) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rooms[w.b.layout.live()+token]
	switch {
	case r == nil:
	case r.tag != 0: // it came meanwhile, or is gone
		r.forget()
	case oldest == 0:
	case r.sequence >= oldest:
		return r.sequence
	default:
		r.forget()
		r.sequence = offset
		w.found = append(w.found, r)
	}
	return offset
}

// mark puts a mark into the queue, behind all that had come when rooms were found
// empty. If it does not fit in, whoever finds them empty next puts it.
func (w *worker) mark() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.found) == 0 {
		return
	}
	m := &natsgo.Msg{}
	select {
	case w.queue <- m:
	default:
		return
	}
	for _, r := range w.found {
		r.mark = m
	}
	w.marks[m], w.found = w.found, nil
}

// pass takes a mark.
func (w *worker) pass(m *natsgo.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.marks[m] {
		if r.mark == m { // else it was found anew since
			r.passed, r.mark = true, nil
		}
	}
	delete(w.marks, m)
}

// learn notes what was read of a room: its last message, or that nothing is known
// of it.
func (w *worker) learn(token string, rec *record) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch r := w.rooms[w.b.layout.live()+token]; {
	case r == nil:
	case rec == nil:
		r.forget()
	default:
		r.knows(rec)
	}
}

// forgetPartition lets go of the last messages known of a partition's rooms.
func (b *Broker) forgetPartition(partition int) {
	for _, w := range b.workers {
		w.mu.Lock()
		for _, r := range w.rooms {
			if b.layout.partition(r.name) == partition {
				r.forget()
			}
		}
		w.mu.Unlock()
	}
}

func (w *worker) run() {
	for {
		select {
		case m := <-w.queue:
			w.take(m)
		case <-w.b.life.Done():
			return
		}
	}
}

// take handles one message of the queue.
func (w *worker) take(m *natsgo.Msg) {
	if len(w.queue) >= cap(w.queue)-1 {
		w.choked = true
	}
	if dials := w.b.link.dials.Load(); dials != w.dials {
		w.dials = dials
		w.b.tellReconnected(dials)
	}
	if m.Sub == nil { // nothing that was received
		w.pass(m)
	} else {
		w.deliver(m)
	}
	if w.choked && len(w.queue) < cap(w.queue)/2 {
		w.choked = false
		w.b.tellUncertain(broker.Scope{Rooms: w.names(-1)}, errSlow)
	}
}

func (w *worker) deliver(m *natsgo.Msg) {
	if header(m.Header, headerSequence) == "" {
		w.receive(m)
		return
	}
	s := w.b.fleet.Load().byName[header(m.Header, headerStream)]
	if s == nil { // of a profile that this node was not given
		w.b.kick()
		return
	}
	token := m.Subject[len(w.b.layout.live()):]
	rec := recordFrom(m)
	if rec.stream = s; rec.sequence == 0 {
		return
	}
	s.saw(rec.sequence)
	if token[0] == '~' {
		w.b.heard()
		return
	}
	w.mu.Lock()
	r := w.rooms[m.Subject]
	if r == nil {
		w.mu.Unlock()
		return
	}
	name, empty := r.name, r.empty()
	r.knows(&rec)
	w.mu.Unlock()
	message := rec.message(name, w.b.epochs.of(token, s.partition))
	if last := number(m.Header, headerLast); last != 0 { // 0 is for none, and for one that is not there any more
		message.Prev = last
	} else if empty != 0 && w.b.firstAfter(s.partition, empty, rec.at) {
		message.Prev = empty
	}
	w.b.sink.Deliver(message)
}

// names lists the worker's open rooms, those of one partition or all (-1).
func (w *worker) names(partition int) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, 0, len(w.rooms))
	for _, r := range w.rooms {
		if partition < 0 || w.b.layout.partition(r.name) == partition {
			names = append(names, r.name)
		}
	}
	return names
}

// openRooms lists the open rooms of a partition.
func (b *Broker) openRooms(partition int) []string {
	names := []string{}
	for _, w := range b.workers {
		names = append(names, w.names(partition)...)
	}
	return names
}

// Release is documented at broker.Broker.
func (b *Broker) Release(rooms []string) {
	if !b.started.Load() {
		return
	}
	for _, name := range rooms {
		token := tokenOf(name)
		b.workerOf(token).release(token)
	}
}
