package nats

import (
	"strings"
	"sync"

	"github.com/finch-go/finch/broker"
	natsgo "github.com/nats-io/nats.go"
)

// news tells the sink what is about no single message, one thing at a time. Its
// lock is held while the sink is called.
type news struct {
	mu        sync.Mutex
	silent    bool   // closed
	announced uint64 // attempts to connect that were told as reconnects
	told      broker.State
	any       bool // a state was told

	down    error // why there is no connection, nil if there is one
	trouble error // why the store does not work as it should
	leased  error // why the lease could not be renewed
}

func (n *news) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent = true
}

// open makes the news those of a life that has not begun. A callback of the
// connection before may still be running: it finds what it may change.
func (n *news) open() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent, n.any, n.announced, n.told = false, false, 0, broker.Connected
	n.down, n.trouble, n.leased = nil, nil, nil
}

// tell calls the sink, unless the broker was closed.
func (b *Broker) tell(call func(broker.Sink)) {
	b.news.mu.Lock()
	defer b.news.mu.Unlock()
	if !b.silent {
		call(b.sink)
	}
}

func (b *Broker) tellUncertain(scope broker.Scope, why error) {
	if scope.Rooms != nil && len(scope.Rooms) == 0 {
		return
	}
	b.tell(func(s broker.Sink) { s.Uncertain(scope, why) })
}

// doubt says that the store may have lost something: marks made before are not
// honoured.
func (b *Broker) doubt(rooms []string, why error) {
	b.doubts.Add(1)
	b.tellUncertain(broker.Scope{Rooms: rooms}, why)
}

// doubtAll is doubt about all rooms.
func (b *Broker) doubtAll(why error) {
	b.doubts.Add(1)
	b.tellUncertain(broker.Scope{}, why)
}

// tellReconnected says once for each attempt to connect that messages may have
// been missed. Whoever finds that attempts were made calls it before the first
// message that may have come over the new connection.
func (b *Broker) tellReconnected(dials uint64) {
	b.tell(func(s broker.Sink) {
		if b.announced < dials {
			b.announced = dials
			b.doubts.Add(1)
			s.Uncertain(broker.Scope{}, errReconnected)
		}
	})
}

// tellState tells how the broker is reached, if that has changed. Before Start
// returns nothing is told.
func (b *Broker) tellState() {
	b.tell(func(s broker.Sink) {
		state, why := broker.Connected, error(nil)
		switch {
		case !b.started.Load():
			return
		case b.down != nil:
			state, why = broker.Down, b.down
		case b.trouble != nil:
			state, why = broker.Degraded, b.trouble
		case b.leased != nil:
			state, why = broker.Degraded, b.leased
		}
		if b.any && b.told == state {
			return
		}
		b.any, b.told = true, state
		if why != nil {
			b.log.Warn("nats: the broker is "+state.String(), "err", why)
		}
		s.State(state, why)
	})
}

// set changes one of the reasons for a state and tells the state.
func (b *Broker) set(reason *error, why error) {
	b.news.mu.Lock()
	*reason = why
	b.news.mu.Unlock()
	b.tellState()
}

// disconnected and reconnected are called by nats.go, one after another.
func (b *Broker) disconnected(err error) {
	if err == nil {
		err = errLinkLost
	}
	b.link.lost(errLinkLost)
	b.set(&b.down, err)
}

func (b *Broker) reconnected() {
	b.link.renew()
	b.tellReconnected(b.link.dials.Load())
	b.nodes.holdOn(b.options.Lease)
	b.set(&b.down, nil)
	b.reletNow()
	b.kick()
}

// reletNow has the lease renewed soon.
func (b *Broker) reletNow() {
	select {
	case b.relet <- struct{}{}:
	default:
	}
}

// advisoryLeader is where JetStream tells of new leaders.
const advisoryLeader = "$JS.EVENT.ADVISORY.STREAM.LEADER_ELECTED.*"

// watch takes what comes for the node itself: leases, notes about epochs,
// questions, new leaders.
func (b *Broker) watch(queue chan *natsgo.Msg) {
	prefix := strings.TrimSuffix(b.layout.watch(), "*.*")
	for {
		var m *natsgo.Msg
		select {
		case m = <-queue:
		case <-b.life.Done():
			return
		}
		if stream, ok := strings.CutPrefix(m.Subject, advisoryLeader[:len(advisoryLeader)-1]); ok {
			b.ledAnew(stream)
			continue
		}
		if m.Subject == b.layout.questions(b.id) {
			b.answer(m)
			continue
		}
		kind, name, _ := strings.Cut(strings.TrimPrefix(m.Subject, prefix), ".")
		sequence, expired := number(m.Header, headerSequence), header(m.Header, headerMarker) != ""
		switch kind {
		case "lease":
			b.nodes.hear(b, name, sequence, expired, m.Data)
		case "epoch":
			b.takeNote(note{name, sequence, expired, m.Data})
		}
		if len(queue) >= cap(queue)-1 { // some may have been dropped
			b.kick()
		}
	}
}

// ledAnew: a stream has a new leader. What the old one had stored and not
// republished yet is missing without a trace.
func (b *Broker) ledAnew(stream string) {
	if s := b.fleet.Load().byName[stream]; s != nil && b.started.Load() {
		b.doubt(b.openRooms(s.partition), errLeader)
	}
}
