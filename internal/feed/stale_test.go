package feed_test

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/finch-go/finch/broker"
)

// A replica makes of a broker one that may answer as it did before: that a room
// stands where it said last, and, after a purge, that it is as it was. It does so
// by chance and no more than so often in a row for one question: the head of a
// room, or what comes after a position.
type replica struct {
	broker.Broker
	random *rand.Rand
	most   int  // stale answers in a row
	once   bool // it is not stale any more after them
	spare  bool // it may claim Page.Spare: no head is ever stale

	mu     sync.Mutex
	heads  float64 // chance of a head that was told before
	epochs float64 // chance of an answer from before a purge
	told   map[string]broker.Head
	was    map[string]broker.Page // of rooms that were purged: all that they had
	row    map[string]int         // stale answers in a row
}

func newReplica(b broker.Broker, random *rand.Rand, most int) *replica {
	return &replica{
		Broker: b, random: random, most: most,
		told: map[string]broker.Head{}, was: map[string]broker.Page{}, row: map[string]int{},
	}
}

// set sets the chances.
func (s *replica) set(heads, epochs float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads, s.epochs = heads, epochs
}

// purges notes how a room is before it is purged.
func (s *replica) purges(room string) error {
	page, err := s.Broker.Read(context.Background(), room, broker.Range{})
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.was[room] = page
	}
	return err
}

// fresh begins a new row.
func (s *replica) fresh(question string) {
	if !s.once {
		delete(s.row, question)
	}
}

func (s *replica) stale(question string, chance float64) bool {
	if s.row[question] >= s.most || s.random.Float64() >= chance {
		return false
	}
	s.row[question]++
	return true
}

func (s *replica) Heads(ctx context.Context, rooms []string, since broker.Mark) ([]broker.Head, broker.Mark, error) {
	heads, next, err := s.Broker.Heads(ctx, rooms, since)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range heads {
		h := &heads[i]
		was, purged := s.was[h.Room]
		told, before := s.told[h.Room]
		switch {
		case purged && s.stale("head of "+h.Room, s.epochs):
			h.Position, next = was.Head, since
		case before && s.stale("head of "+h.Room, s.heads):
			*h, next = told, since
		default:
			s.fresh("head of " + h.Room)
		}
		s.told[h.Room] = *h
	}
	return heads, next, err
}

func (s *replica) Open(ctx context.Context, rooms []string) ([]broker.Head, error) {
	heads, err := s.Broker.Open(ctx, rooms)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range heads {
		s.told[h.Room] = h
	}
	return heads, err
}

func (s *replica) Read(ctx context.Context, room string, r broker.Range) (broker.Page, error) {
	page, err := s.Broker.Read(ctx, room, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	was, purged := s.was[room]
	question := room + " from " + r.From.String()
	if err != nil || !purged || !s.stale(question, s.epochs) {
		s.fresh(question)
	} else {
		page = was
		page.Messages, page.Whole = nil, false
		for _, m := range was.Messages {
			if r.From.IsZero() || r.From.Epoch == m.Position.Epoch && m.Position.Offset >= r.From.Offset {
				page.Messages = append(page.Messages, m)
			}
		}
	}
	page.Spare = page.Spare && s.spare
	return page, err
}
