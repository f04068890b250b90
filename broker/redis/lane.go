package redis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/finch-go/finch/broker"
)

// batch is how many channels are subscribed to with one command: a server reads
// and carries it out in about a millisecond, in which it does nothing else.
const batch = 512

// A lane is a group of channels that are heard, lost and moved together: those of
// one partition in a Cluster, all of them where there is one server. One
// goroutine subscribes and unsubscribes, one thing after another.
type lane struct {
	broker    *Broker
	partition int
	fixed     []string      // channels that every node hears: its own, and everyone's
	probe     string        // one of fixed: what this node says to itself
	wake      chan struct{} // there may be something to do
	again     chan struct{} // what failed may succeed now

	// mu guards what follows, and is held while the sink is called with what was
	// heard on the lane: that is what makes calls for one room sequential.
	mu     sync.Mutex
	closed bool  // the sink is not called any more
	line   *line // nil: nothing is heard
	lives  uint32
	// lost is why something may have been missed. Until it has been announced what
	// is heard is dropped: whoever is uncertain afterwards reads it anyway.
	lost     error
	settled  bool // all that is to be heard is heard
	failing  bool // it could not be settled when that was tried last
	rooms    map[string]*interest
	joining  []string
	leaving  []string
	changed  chan struct{} // closed and made anew whenever something was subscribed to
	silence  int           // probes that were published and not heard, in a row
	lostWhen time.Time
}

// An interest is a room that this node has open. It is guarded by its lane's mu.
type interest struct {
	life    uint32 // the lane's life in which it was subscribed to
	touched int64  // when its head's life was last prolonged, in seconds since 1970
	sight   sight
}

func newLane(b *Broker, partition int, probe string, fixed []string) *lane {
	return &lane{
		broker: b, partition: partition, probe: probe, fixed: fixed,
		wake: make(chan struct{}, 1), again: make(chan struct{}, 1), rooms: map[string]*interest{}, changed: make(chan struct{}),
	}
}

func (l *lane) stir() { nudge(l.wake) }

// nudge puts something into a channel that holds one, unless it is there already.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// open adds rooms to what is heard, without waiting.
func (l *lane) open(rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, room := range rooms {
		if l.rooms[room] == nil {
			l.rooms[room] = &interest{}
			l.joining = append(l.joining, room)
		}
	}
	l.stir()
}

func (l *lane) release(rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, room := range rooms {
		if l.rooms[room] != nil {
			delete(l.rooms, room)
			l.leaving = append(l.leaving, room)
		}
	}
	l.stir()
}

// await blocks until rooms that were opened are heard, as long as there is some
// progress.
func (l *lane) await(ctx context.Context, rooms []string) error {
	patience := time.NewTimer(l.broker.options.Timeout)
	defer patience.Stop()
	for heard := 0; ; {
		l.mu.Lock()
		for heard < len(rooms) && l.hears(rooms[heard]) {
			heard++ // what is lost again from now on is uncertain
		}
		changed, lost := l.changed, l.lost
		l.mu.Unlock()
		if heard == len(rooms) {
			return nil
		}
		select {
		case <-changed:
			patience.Reset(l.broker.options.Timeout)
		case <-patience.C:
			if lost == nil {
				lost = errSlow
			}
			return lost
		case <-ctx.Done():
			return ctx.Err()
		case <-l.broker.life.Done():
			return broker.ErrClosed
		}
	}
}

// hears reports whether nothing has to be waited for. The lane is locked.
func (l *lane) hears(room string) bool {
	in := l.rooms[room]
	return in == nil || l.line != nil && in.life == l.lives && l.lost == nil
}

// awaitSettled blocks until the lane is heard.
func (l *lane) awaitSettled(ctx context.Context) error {
	for {
		l.mu.Lock()
		settled, changed, lost := l.settled, l.changed, l.lost
		l.mu.Unlock()
		if settled {
			return nil
		}
		if lost != nil && hopeless(lost) {
			return lost
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if lost != nil {
				return lost
			}
			return ctx.Err()
		}
	}
}

// progress tells those that wait. The lane is locked.
func (l *lane) progress() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// lose says that the lane is not heard any more, if it was heard on ln. Nobody is
// told yet that it is: mostly it is heard again in a moment, and uncertain then.
func (l *lane) lose(ln *line, why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line == ln && ln != nil && !l.closed {
		l.loseLocked(why)
	}
}

func (l *lane) loseLocked(why error) {
	l.line, l.settled, l.silence, l.lostWhen = nil, false, 0, time.Now()
	if l.lost == nil {
		l.lost = why
	}
	l.stir()
}

// run settles the lane whenever there is something to do, until ctx ends.
func (l *lane) run(ctx context.Context) {
	pause := newPause(20*time.Millisecond, time.Second)
	l.stir()
	for {
		select {
		case <-l.wake:
		case <-ctx.Done():
			return
		}
		for {
			err := l.settle(ctx)
			if err == nil {
				pause.reset()
				break
			}
			if ctx.Err() != nil {
				return
			}
			l.fail(err)
			if !pause.wait(ctx, l.again) {
				return
			}
		}
	}
}

// fail notes why the lane could not be settled.
func (l *lane) fail(err error) {
	l.mu.Lock()
	l.lostWhen, l.failing = time.Now(), true
	if ln := l.line; ln != nil {
		if _, refused := refusal(err); !refused {
			ln.finish(err) // the connection, or who is behind it
		}
		l.loseLocked(err)
	} else if l.lives == 0 {
		l.lost = err // nothing was missed yet, but it says why Start takes so long
		l.progress()
	}
	l.mu.Unlock()
	l.broker.moved(l.partition, err)
	l.broker.judge()
}

// settle makes what is heard what is to be heard.
func (l *lane) settle(ctx context.Context) error {
	b := l.broker
	ctx, cancel := context.WithTimeout(ctx, 4*b.options.Timeout)
	defer cancel()
	l.mu.Lock()
	ln, since := l.line, l.lostWhen
	l.mu.Unlock()
	if ln == nil {
		address, err := b.owner(ctx, l.partition, since)
		if err != nil {
			return err
		}
		if ln, err = b.line(ctx, address); err != nil {
			return err
		}
		if err := ln.subscribe(ctx, l.fixed); err != nil {
			return err
		}
		l.take(ln)
	}
	for {
		l.mu.Lock()
		joining, leaving := l.next()
		l.mu.Unlock()
		if len(joining)+len(leaving) == 0 {
			break
		}
		if len(joining) > 0 {
			if err := ln.subscribe(ctx, l.channels(joining)); err != nil {
				return err
			}
			l.joined(ln, joining)
		}
		if len(leaving) > 0 {
			if err := ln.unsubscribe(ctx, l.channels(leaving)); err != nil {
				return err
			}
		}
	}
	return l.announce(ctx, ln)
}

// take makes ln the line of the lane, of which all rooms are to be subscribed to.
func (l *lane) take(ln *line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lives == 0 {
		l.lost = nil // the first life: nothing can have been missed
	}
	l.line, l.silence = ln, 0
	l.lives++
	l.joining = slices.AppendSeq(l.joining[:0], maps.Keys(l.rooms))
	l.leaving = nil
	select {
	case <-ln.done: // it ended before it was known here
		l.loseLocked(ln.why)
	default:
	}
}

// next takes the next channels to subscribe to and to leave. The lane is locked.
func (l *lane) next() (joining, leaving []string) {
	for len(l.joining) > 0 && len(joining) < batch {
		room := l.joining[0]
		l.joining = l.joining[1:]
		if in := l.rooms[room]; in != nil && in.life != l.lives {
			joining = append(joining, room)
		}
	}
	for len(l.leaving) > 0 && len(leaving) < batch {
		room := l.leaving[0]
		l.leaving = l.leaving[1:]
		if l.rooms[room] == nil {
			leaving = append(leaving, room)
		}
	}
	if len(l.joining) == 0 {
		l.joining = nil
	}
	return joining, leaving
}

func (l *lane) channels(rooms []string) []string {
	channels := make([]string, len(rooms))
	for i, room := range rooms {
		channels[i] = l.broker.names.channel(kindRoom, room)
	}
	return channels
}

func (l *lane) joined(ln *line, rooms []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.line != ln {
		return
	}
	for _, room := range rooms {
		if in := l.rooms[room]; in != nil {
			in.life = l.lives
		}
	}
	l.progress()
}

// announce says that the lane is heard, and that it is uncertain if it was lost.
func (l *lane) announce(ctx context.Context, ln *line) error {
	b := l.broker
	l.mu.Lock()
	was := l.settled
	l.mu.Unlock()
	if !was {
		// Whoever is told that he is uncertain asks at once: the gate is to be open.
		if err := b.reachable(ctx); err != nil {
			return err
		}
	}
	l.mu.Lock()
	if l.line != ln {
		lost := l.lost
		l.mu.Unlock()
		return lost
	}
	l.settled, l.failing = true, false
	if why := l.lost; why != nil {
		l.lost = nil
		switch scope := (broker.Scope{}); {
		case l.closed:
		case b.cluster && len(l.rooms) > 0:
			scope.Rooms = slices.Collect(maps.Keys(l.rooms))
			b.sink.Uncertain(scope, why)
		case !b.cluster:
			b.sink.Uncertain(scope, why)
		}
	}
	l.progress()
	l.mu.Unlock()
	if !was {
		b.judge()
	}
	return nil
}

// unsubscribed is called when a server says that it will tell no more of a
// channel. If it was not asked to, the slot has moved to another server.
func (b *Broker) unsubscribed(ln *line, s rueidis.PubSubSubscription) {
	if s.Kind != "sunsubscribe" {
		return
	}
	kind, partition, of, ok := b.names.parseChannel(s.Channel)
	if !ok {
		return
	}
	l := b.lane(partition)
	l.mu.Lock()
	defer l.mu.Unlock()
	asked := false
	if kind == kindRoom {
		in := l.rooms[of]
		asked = in == nil || in.life != l.lives
	}
	if !asked && l.line == ln && !l.closed {
		l.loseLocked(errMoved)
	}
}

var (
	errMoved = errors.New("redis: the partition moved to another server of the cluster")
	errSlow  = errors.New("redis: the server does not take the subscription")
)
