package brokertest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"

	"github.com/finch-go/finch/broker"
)

// Faults say what goes wrong, each as a chance from 0 to 1.
type Faults struct {
	Drop   float64 // a delivery is lost
	Repeat float64 // a delivery comes twice, the second time later
	Hold   float64 // a delivery is held back: others overtake it
	// Unknown: a publish is recorded and its answer lost, or it is lost itself;
	// ErrUnknownOutcome is returned for both.
	Unknown float64
	// Refuse: a call is refused with ErrUnavailable, and nothing is done.
	Refuse float64
	// Stale: Read answers from before the room's last messages, which a broker
	// must not do. It never happens three times in a row for one room, as a store
	// that is asked again ends up current.
	Stale float64
	// StaleHeads: Heads does so, under the same bound. What stands on a broker
	// recovers from it, unless age has removed by then what the head hid: a broker
	// that can answer so is not to claim Page.Spare.
	StaleHeads float64
}

// A FaultyBroker is a broker with faults. It implements broker.Broker, and its
// methods may be called from any goroutine. When it is driven from one goroutine
// its seed repeats the run.
//
// It has no clock: what is held back is delivered along with later deliveries,
// by Flush, or never, if the node closes first.
type FaultyBroker struct {
	broker.Broker

	mu     sync.Mutex // held while the sink is called
	faults Faults
	random *rand.Rand
	sink   broker.Sink
	cut    bool
	held   []broker.Message
	stale  map[string]int // stale answers in a row

	counts FaultCounts
}

// FaultCounts says how often a fault happened.
type FaultCounts struct {
	Dropped, Repeated, Held, Unknown, Refused, Stale int
}

// Faulty wraps a broker that has not been started.
func Faulty(inner broker.Broker, seed uint64, faults Faults) *FaultyBroker {
	return &FaultyBroker{
		Broker: inner,
		faults: faults,
		random: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)),
		stale:  map[string]int{},
	}
}

// SetFaults changes what goes wrong from now on. What is held back stays so.
func (b *FaultyBroker) SetFaults(faults Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = faults
}

func (b *FaultyBroker) now() Faults {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.faults
}

// Counts returns what has happened so far.
func (b *FaultyBroker) Counts() FaultCounts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// Flush delivers all that is held back, in a random order.
func (b *FaultyBroker) Flush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.release(1)
}

// Cut ends the connection: every call is refused, and what is delivered
// meanwhile is lost, without a word but State(Down).
func (b *FaultyBroker) Cut() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.cut && b.sink != nil {
		b.cut = true
		b.sink.State(broker.Down, errCut)
	}
}

var errCut = errors.New("connection cut")

// Mend makes the connection good again, and says, as a broker must, that
// everything is uncertain.
func (b *FaultyBroker) Mend() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut && b.sink != nil {
		b.cut = false
		b.sink.State(broker.Connected, nil)
		b.sink.Uncertain(broker.Scope{}, errCut)
	}
}

// release delivers each held message with some chance.
func (b *FaultyBroker) release(chance float64) {
	b.random.Shuffle(len(b.held), func(i, j int) { b.held[i], b.held[j] = b.held[j], b.held[i] })
	var kept []broker.Message
	for _, m := range b.held {
		switch {
		case b.cut: // lost
		case b.random.Float64() < chance:
			b.sink.Deliver(m)
		default:
			kept = append(kept, m)
		}
	}
	b.held = kept
}

// happens throws the dice for a fault and counts it.
func (b *FaultyBroker) happens(chance float64, count *int) bool {
	if chance > 0 && b.random.Float64() < chance {
		*count++
		return true
	}
	return false
}

// refused says whether a call is refused.
func (b *FaultyBroker) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.cut || b.happens(b.faults.Refuse, &b.counts.Refused) {
		return broker.ErrUnavailable
	}
	return nil
}

// staleNow says whether an answer about a room is stale this time.
func (b *FaultyBroker) staleNow(room string, chance float64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stale[room] < 2 && b.happens(chance, &b.counts.Stale) {
		b.stale[room]++
		return true
	}
	delete(b.stale, room)
	return false
}

// Start is documented at broker.Broker; starting has no faults.
func (b *FaultyBroker) Start(ctx context.Context, node broker.Node, sink broker.Sink) error {
	b.mu.Lock()
	b.sink = sink
	b.mu.Unlock()
	return b.Broker.Start(ctx, node, faultySink{sink, b})
}

// Close is documented at broker.Broker; closing has no faults.
func (b *FaultyBroker) Close(ctx context.Context) error {
	b.mu.Lock()
	b.held, b.sink = nil, nil
	b.mu.Unlock()
	return b.Broker.Close(ctx)
}

// Open is documented at broker.Broker. It may be refused; its heads are true.
func (b *FaultyBroker) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	if err := b.refused(); err != nil {
		return nil, err
	}
	return b.Broker.Open(ctx, rooms)
}

// Publish is documented at broker.Broker.
func (b *FaultyBroker) Publish(ctx context.Context, room string, data []byte, o broker.PublishOptions) (broker.Ack, error) {
	if err := b.refused(); err != nil {
		return broker.Ack{}, err
	}
	b.mu.Lock()
	unknown := b.happens(b.faults.Unknown, &b.counts.Unknown)
	lost := unknown && b.random.IntN(2) == 0
	b.mu.Unlock()
	if lost {
		return broker.Ack{}, broker.ErrUnknownOutcome
	}
	ack, err := b.Broker.Publish(ctx, room, data, o)
	if err == nil && unknown {
		return broker.Ack{}, broker.ErrUnknownOutcome
	}
	return ack, err
}

// Read is documented at broker.Broker. A stale page lacks its last messages.
func (b *FaultyBroker) Read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	if err := b.refused(); err != nil {
		return broker.Page{}, err
	}
	stale := b.now().Stale
	page, err := b.Broker.Read(ctx, room, r)
	if err == nil && !page.More && len(page.Messages) > 1 && b.staleNow(room, stale) {
		page.Messages = page.Messages[:(len(page.Messages)+1)/2]
		page.Head = page.Messages[len(page.Messages)-1].Position
	}
	return page, err
}

// Heads is documented at broker.Broker. A stale head is that of an older
// message, and the mark does not move.
func (b *FaultyBroker) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	if err := b.refused(); err != nil {
		return nil, since, err
	}
	stale := b.now().StaleHeads
	changed, next, err := b.Broker.Heads(ctx, rooms, since)
	for i := range changed {
		if !b.staleNow(changed[i].Room, stale) {
			continue
		}
		next = since
		older, err := b.Broker.Read(ctx, changed[i].Room, broker.Range{Before: changed[i].Position.Offset, Newest: true, Limit: 2})
		if err == nil && len(older.Messages) > 0 {
			changed[i].Position, changed[i].At = older.Messages[0].Position, older.Messages[0].At
		}
	}
	return changed, next, err
}

// Purge is documented at broker.Broker. It may be refused.
func (b *FaultyBroker) Purge(ctx context.Context, room string) error {
	if err := b.refused(); err != nil {
		return err
	}
	return b.Broker.Purge(ctx, room)
}

// Send is documented at broker.Broker. It may be refused.
func (b *FaultyBroker) Send(ctx context.Context, to broker.Target, data []byte) error {
	if err := b.refused(); err != nil {
		return err
	}
	return b.Broker.Send(ctx, to, data)
}

// Ask is documented at broker.Broker. It may be refused.
func (b *FaultyBroker) Ask(ctx context.Context, node string, question []byte) ([]byte, error) {
	if err := b.refused(); err != nil {
		return nil, err
	}
	return b.Broker.Ask(ctx, node, question)
}

// faultySink stands between the broker and the sink.
type faultySink struct {
	broker.Sink
	b *FaultyBroker
}

// Deliver throws the dice for a message.
func (s faultySink) Deliver(m broker.Message) {
	b := s.b
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.sink == nil, b.cut, b.happens(b.faults.Drop, &b.counts.Dropped):
		return
	case b.happens(b.faults.Hold, &b.counts.Held):
		b.held = append(b.held, m)
	default:
		b.sink.Deliver(m)
	}
	if b.happens(b.faults.Repeat, &b.counts.Repeated) {
		b.held = append(b.held, m)
	}
	b.release(0.3)
}

// Uncertain is not lost, but it says nothing while the connection is cut.
func (s faultySink) Uncertain(scope broker.Scope, why error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if s.b.sink != nil && !s.b.cut {
		s.b.sink.Uncertain(scope, why)
	}
}
