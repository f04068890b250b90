package feed_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/feed"
)

// A stage drives one feed by hand: it is the Room, and notes what happens.
type stage struct {
	t     *testing.T
	feed  *feed.Feed[string]
	now   time.Time
	notes []string
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	limits := feed.Limits{}.WithDefaults()
	s.feed = feed.New(s, &limits, s.now)
	return s
}

func (s *stage) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func (s *stage) Emit(m broker.Message) { s.note("emit %d", m.Position.Offset) }
func (s *stage) Attach(who string, at broker.Position, replay []broker.Message) {
	s.note("attach %s at %d with %d", who, at.Offset, len(replay))
}
func (s *stage) Restart(who string, at broker.Position, why feed.Reason) {
	s.note("restart %s at %d: %s", who, at.Offset, why)
}
func (s *stage) RestartAll(at broker.Position, why feed.Reason) {
	s.note("restart all at %d: %s", at.Offset, why)
}
func (s *stage) Refuse(who string, err error) { s.note("refuse %s: %v", who, err) }

// wants takes the feed's only request, which has to be of this kind.
func (s *stage) wants(kind feed.Kind) uint32 {
	s.t.Helper()
	requests := s.feed.Requests()
	if len(requests) != 1 || requests[0].Kind != kind {
		s.t.Fatalf("it requests %v", requests)
	}
	return requests[0].Serial
}

// noted compares what has been noted since the last time.
func (s *stage) noted(want ...string) {
	s.t.Helper()
	if !slices.Equal(s.notes, want) {
		s.t.Fatalf("noted %q, want %q", s.notes, want)
	}
	s.notes = nil
}

func stand(offset uint64) broker.Position {
	return broker.Position{Epoch: "e", Offset: offset, Tag: offset + 100}
}

func standing(offset, prev uint64) broker.Message {
	return broker.Message{Room: "r", Position: stand(offset), Prev: prev}
}

func (s *stage) opens(offset uint64, at time.Time) {
	s.t.Helper()
	s.feed.Opened(s.wants(feed.AskOpen), s.now, broker.Head{Room: "r", Position: stand(offset), At: at}, nil)
}

func (s *stage) head(serial uint32, offset uint64) {
	s.feed.Headed(serial, s.now, broker.Head{Room: "r", Position: stand(offset)}, nil)
}

// beyond is a page of a room that ends at an offset, read from after it.
func beyond(offset uint64) broker.Page { return broker.Page{Head: stand(offset)} }

func TestMemberIsNotJudgedWhileTheFeedIsInDoubt(t *testing.T) {
	s := newStage(t)
	s.opens(1, s.now)
	s.feed.Join(s.now, "ann", stand(3))
	for range 3 {
		s.feed.Page(s.wants(feed.AskRead), s.now, beyond(1), nil)
	}
	fourth := s.wants(feed.AskRead)
	s.feed.Uncertain(s.now)
	head := s.wants(feed.AskHead)
	s.feed.Page(fourth, s.now, beyond(1), nil)
	s.noted()
	s.head(head, 3)
	page := broker.Page{Head: stand(3), Messages: []broker.Message{standing(1, 0), standing(2, 1), standing(3, 2)}}
	s.feed.Page(s.wants(feed.AskRead), s.now, page, nil)
	s.noted("emit 2", "emit 3", "attach ann at 3 with 0")
}

// TestPauseEndsWhenTheBrokerIsBack: what failed often is asked again late, unless
// the broker says that something has changed.
func TestPauseEndsWhenTheBrokerIsBack(t *testing.T) {
	fails := func(s *stage, kind feed.Kind, fail func(serial uint32)) (late uint32) {
		for range 6 {
			fail(s.wants(kind))
		}
		requests := s.feed.Requests()
		if len(requests) != 1 || requests[0].After < time.Second {
			t.Fatalf("after failures it requests %v", requests)
		}
		s.feed.Uncertain(s.now)
		again := s.feed.Requests()
		if len(again) != 1 || again[0].Kind != kind || again[0].After != 0 {
			t.Fatalf("when the broker is back it requests %v", again)
		}
		fail(requests[0].Serial) // the late one is nobody's any more
		if rest := s.feed.Requests(); len(rest) != 0 {
			t.Fatalf("then it requests %v", rest)
		}
		return again[0].Serial
	}
	s := newStage(t)
	opened := fails(s, feed.AskOpen, func(serial uint32) { s.feed.Opened(serial, s.now, broker.Head{}, broker.ErrUnavailable) })
	s.feed.Opened(opened, s.now, broker.Head{Room: "r", Position: stand(1)}, nil)
	s.feed.Uncertain(s.now)
	head := fails(s, feed.AskHead, func(serial uint32) { s.feed.Headed(serial, s.now, broker.Head{}, broker.ErrUnavailable) })
	s.head(head, 1)
	if !s.feed.Live() {
		t.Error("it is not live")
	}
}

func TestProofOutweighsEarlierDenials(t *testing.T) {
	s := newStage(t)
	s.opens(1, s.now)
	s.feed.Join(s.now, "ann", stand(3))
	for range 3 {
		s.feed.Page(s.wants(feed.AskRead), s.now, beyond(1), nil)
	}
	s.feed.Page(s.wants(feed.AskRead), s.now, broker.Page{Head: stand(3), Messages: []broker.Message{standing(3, 2)}}, nil)
	for range 4 {
		s.head(s.wants(feed.AskHead), 1) // older than that page
	}
	s.head(s.wants(feed.AskHead), 1) // the store has lost it since
	for range 3 {
		s.feed.Page(s.wants(feed.AskRead), s.now, beyond(1), nil)
		s.noted()
	}
	s.feed.Page(s.wants(feed.AskRead), s.now, beyond(1), nil)
	s.noted("restart ann at 1: ahead")
}

func TestPageThatShowsAGapIsNotProvenByAge(t *testing.T) {
	for _, tt := range []struct {
		prev uint64
		want []string
	}{
		{broker.PrevUnknown, []string{"emit 3"}}, // whatever follows 1 is too young to have gone
		{2, []string{"restart all at 3: trimmed"}},
	} {
		s := newStage(t)
		s.opens(1, s.now.Add(-time.Minute))
		s.now = s.now.Add(time.Second)
		s.feed.Deliver(s.now, standing(3, tt.prev))
		s.head(s.wants(feed.AskHead), 3)
		s.feed.Page(s.wants(feed.AskRead), s.now, broker.Page{
			Head: stand(3), Messages: []broker.Message{standing(3, tt.prev)}, Spare: true, Kept: time.Minute,
		}, nil)
		s.noted(tt.want...)
	}
}

func TestForgottenWaitIsNotAnswered(t *testing.T) {
	s := newStage(t)
	waits, forgotten := make(chan error, 1), make(chan error, 1)
	s.feed.Await(forgotten)
	if !s.feed.Busy() {
		t.Error("nobody waits")
	}
	s.feed.Forget(forgotten)
	if s.feed.Busy() {
		t.Error("somebody waits who was forgotten")
	}
	s.feed.Await(waits)
	s.opens(1, s.now)
	if len(waits) != 1 || len(forgotten) != 0 {
		t.Errorf("%d are told, and %d of those that were forgotten", len(waits), len(forgotten))
	}
}

func TestAnswerThatRefutesAClaimBeginsItsCountAnew(t *testing.T) {
	claims := map[feed.Reason]broker.Position{
		feed.Forgotten: {Epoch: "old", Offset: 5, Tag: 1},
		feed.Lost:      stand(3),
		feed.Forked:    {Epoch: "e", Offset: 5, Tag: 1},
	}
	for why, claim := range claims {
		s := newStage(t)
		s.opens(5, s.now)
		s.feed.Uncertain(s.now)
		claimed := func(times int) {
			for range times {
				s.feed.Headed(s.wants(feed.AskHead), s.now, broker.Head{Room: "r", Position: claim}, nil)
			}
		}
		claimed(4)
		s.feed.Checked(s.now, s.now, stand(5), broker.Head{Room: "r", Position: stand(5)})
		claimed(4)
		s.noted()
		claimed(1)
		s.noted(fmt.Sprintf("restart all at %d: %s", claim.Offset, why))
	}
}

// TestReaderOfARoomThatStayedEmptyIsNotAskedFor: the head says since when it has
// been empty, and who was there earlier has to be asked for.
func TestReaderOfARoomThatStayedEmptyIsNotAskedFor(t *testing.T) {
	s := newStage(t)
	empty := func(offset uint64) broker.Position { return broker.Position{Epoch: "e", Offset: offset} }
	s.feed.Opened(s.wants(feed.AskOpen), s.now, broker.Head{Room: "r", Position: empty(50), Since: 20}, nil)
	s.feed.Join(s.now, "late", empty(20))
	s.noted("attach late at 50 with 0")
	s.feed.Join(s.now, "early", empty(19))
	s.wants(feed.AskRead)
	s.noted()
	s.feed.Deliver(s.now, standing(60, 50)) // the first message
	s.feed.Join(s.now, "later", empty(20))
	s.noted("emit 60", "attach later at 60 with 1")
}
