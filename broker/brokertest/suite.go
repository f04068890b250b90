package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/broker"
)

// A Store is what one test of Run works on: an empty store, shared by the nodes
// that the test starts.
type Store struct {
	// Node makes the broker of one more node of this store, not started. The
	// suite closes it.
	Node func() broker.Broker
	// Advance moves the store's clock on. Nil: the clock cannot be moved, and
	// tests of what expires are skipped.
	Advance func(d time.Duration)
	// LoseTail takes the last n messages of a room away without a word, as a
	// store does that lost what it had acknowledged. Nil: those tests are skipped.
	LoseTail func(room string, n int)
	// Alone: there is never more than one node.
	Alone bool
	// Elsewhere: what this store gives no way to do (Advance, LoseTail) is tested on
	// another store of the same broker, so those tests are left out and not skipped.
	Elsewhere bool
}

// Profiles are the histories with which the suite starts its nodes.
var Profiles = []broker.Profile{
	{Name: "", Size: 100},
	{Name: "short", Size: 5},
	{Name: "aged", Size: 100, Age: time.Minute},
	{Name: "none"},
}

// Run tests that a broker keeps the contract of package broker. Open makes an
// empty store for each of its subtests.
func Run(t *testing.T, open func(t *testing.T) *Store) {
	for _, tt := range contract {
		t.Run(tt.name, func(t *testing.T) { tt.run(t, open(t)) })
	}
}

// RunVirtual is Run with each subtest in a bubble of testing/synctest, for a
// broker whose nodes and store live in the test's process and wait for nothing
// that a bubble does not know, such as a socket. Open runs in the bubble, and
// what it starts has to end in its cleanup. Advance is the bubble's, if the store
// has none.
func RunVirtual(t *testing.T, open func(t *testing.T) *Store) {
	for _, tt := range contract {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := open(t)
				if s.Advance == nil {
					s.Advance = time.Sleep
				}
				tt.run(t, s)
			})
		})
	}
}

// A clause is one part of the contract.
type clause struct {
	name  string
	nodes int
	needs func(*Store) bool
	test  func(*fixture)
}

func (c clause) run(t *testing.T, s *Store) {
	if c.needs != nil && !c.needs(s) {
		if s.Elsewhere {
			return
		}
		t.Skip("the store under test gives no way to do this")
	}
	if s.Alone {
		c.nodes = 1
	}
	f := &fixture{T: t, Store: s, ctx: t.Context()}
	for i := range c.nodes {
		f.start(fmt.Sprintf("node-%d", i))
	}
	c.test(f)
}

var contract = []clause{
	{"publishes of a room follow each other on every node", 2, nil, publishesFollow},
	{"publishers at the same time get one order", 2, nil, oneOrder},
	{"an opened room misses nothing after its head", 2, nil, openMissesNothing},
	{"a room opened again is the same", 1, nil, openedAgain},
	{"rooms are opened and released by many at once", 2, nil, openedByMany},
	{"a message keeps its bytes", 2, nil, keepsBytes},
	{"a key records once", 2, nil, keyRecordsOnce},
	{"a key belongs to its room and its publisher", 1, nil, keyHasScope},
	{"a key used for other data is refused", 1, nil, keyReused},
	{"a key is forgotten after the window", 1, canAdvance, keyExpires},
	{"a page begins with its anchor", 1, nil, pageHasAnchor},
	{"a page that is enough reaches what is known", 1, nil, pageIsEnough},
	{"a page keeps to its limit", 1, nil, pageLimits},
	{"a page reads backwards", 1, nil, pageBackwards},
	{"a trimmed anchor proves nothing", 1, nil, trimmedAnchor},
	{"a room empty at join is whole until it is trimmed", 1, nil, emptyAtJoin},
	{"a room without history has positions", 1, nil, noHistory},
	{"messages leave by age", 1, canAdvance, messagesAge},
	{"a lost tail shows by its tag", 1, canLoseTail, lostTail},
	{"a purge begins a new epoch", 2, nil, purge},
	{"heads tell what changed", 2, nil, headsTellChanges},
	{"a foreign mark returns all heads", 1, nil, foreignMark},
	{"misuse is refused", 1, nil, misuse},
	{"what is sent reaches its target", 2, nil, sendReaches},
	{"a question is answered by its node", 2, nil, askIsAnswered},
	{"a question waits for a slow node", 2, nil, slowAnswer},
	{"a question ends with its node", 2, nil, goneWhileAsked},
	{"shares and nodes live with their lease", 2, nil, sharesLive},
	{"a room has shares of many nodes", 9, nil, sharesOfMany},
	{"a released room can be opened again", 2, nil, releasedRoom},
	{"a closed broker is closed", 2, nil, closedBroker},
	{"a context that has ended ends calls", 1, nil, endedContext},
}

func canAdvance(s *Store) bool  { return s.Advance != nil }
func canLoseTail(s *Store) bool { return s.LoseTail != nil }

// A fixture is a store with started nodes.
type fixture struct {
	*testing.T
	*Store
	ctx   context.Context
	nodes []broker.Broker
	boxes []*Inbox
}

// start starts one more node.
func (f *fixture) start(id string) (broker.Broker, *Inbox) {
	f.Helper()
	b, in := f.Node(), &Inbox{}
	ctx, cancel := context.WithTimeout(f.ctx, patience)
	defer cancel()
	in.AnswerFunc = func(ctx context.Context, from string, question []byte) ([]byte, error) {
		switch string(question) {
		case "refuse":
			return nil, errors.New("no such room here")
		case "hesitate":
			return nil, hesitate(ctx)
		case "wait":
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return fmt.Appendf(nil, "%s to %s: %s", id, from, question), nil
	}
	if err := b.Start(ctx, broker.Node{ID: id, Profiles: Profiles}, in); err != nil {
		f.Fatalf("Start: %v", err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			f.Errorf("Close: %v", err)
		}
	})
	f.nodes, f.boxes = append(f.nodes, b), append(f.boxes, in)
	f.acquaint(id)
	return b, in
}

// acquaint waits until the node that was started last and the first one know of
// each other: the news may take a while.
func (f *fixture) acquaint(id string) {
	f.Helper()
	f.boxes[0].eventually(f.T, "news of "+id, func() bool {
		return slices.ContainsFunc(f.nodes[0].Nodes(), func(n broker.NodeState) bool { return n.ID == id })
	})
	b, in := f.last()
	in.eventually(f.T, "news of the other nodes", func() bool { return slices.Equal(b.Nodes(), f.nodes[0].Nodes()) })
}

// last is the node that was started last: another than the first, if there can
// be another.
func (f *fixture) last() (broker.Broker, *Inbox) {
	return f.nodes[len(f.nodes)-1], f.boxes[len(f.boxes)-1]
}

func (f *fixture) open(b broker.Broker, room string) broker.Position {
	f.Helper()
	heads, err := b.Open(f.ctx, []string{room})
	if err != nil || len(heads) != 1 || heads[0].Room != room {
		f.Fatalf("Open: %v, %v", heads, err)
	}
	return heads[0].Position
}

func (f *fixture) publish(b broker.Broker, room, data string, o broker.PublishOptions) broker.Position {
	f.Helper()
	ack, err := b.Publish(f.ctx, room, []byte(data), o)
	if err != nil || ack.Duplicate {
		f.Fatalf("Publish: %+v, %v", ack, err)
	}
	if ack.Position.Tag == 0 || ack.Position.Epoch == "" {
		f.Fatalf("Publish gives the position %q of no message", ack.Position)
	}
	if _, err := broker.ParsePosition(ack.Position.String()); err != nil {
		f.Fatalf("Publish gives %q: %v", ack.Position, err)
	}
	return ack.Position
}

// publishSome publishes n messages whose data is their number from 0.
func (f *fixture) publishSome(b broker.Broker, room string, n int, o broker.PublishOptions) []broker.Position {
	f.Helper()
	var positions []broker.Position
	for i := range n {
		positions = append(positions, f.publish(b, room, fmt.Sprint(i), o))
	}
	return positions
}

func (f *fixture) read(b broker.Broker, room string, r broker.Range) broker.Page {
	f.Helper()
	page, err := b.Read(f.ctx, room, r)
	if err != nil {
		f.Fatalf("Read: %v", err)
	}
	return page
}

// check compares a page's messages with positions.
func (f *fixture) check(page broker.Page, want ...broker.Position) {
	f.Helper()
	if len(page.Messages) != len(want) {
		f.Fatalf("the page has %d messages, want %d", len(page.Messages), len(want))
	}
	for i, m := range page.Messages {
		if m.Position != want[i] {
			f.Fatalf("message %d of the page stands at %v, want %v", i, m.Position, want[i])
		}
	}
}
