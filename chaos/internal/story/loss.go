package story

import "time"

// A Loss is a time of which the store has forgotten everything, on purpose: its
// disk was put back to what it was at After, and it served again at Until. A
// store in memory that dies has lost everything before Until.
type Loss struct {
	After, Until time.Duration
	// Slack is how uncertain both ends are: what became known so shortly before or
	// after After may have been saved or not, and so shortly after Until may be an
	// old message that was still under way.
	Slack time.Duration
	// Perhaps: nobody knows whether anything was lost, as when a replica has taken
	// over. What became known in that time may be there or not.
	Perhaps bool
	// Rooms are those of which it is true; nil is all.
	Rooms func(room string) bool
}

// fate is whether a message is still in the store.
type fate uint8

const (
	kept fate = iota
	uncertain
	gone
)

// of tells the fate of what became known at a time.
func (l Loss) of(known time.Duration) fate {
	switch {
	case l.After > 0 && known <= l.After-l.Slack || known > l.Until+l.Slack:
		return kept
	case l.After > 0 && known <= l.After+l.Slack || known > l.Until:
		return uncertain
	}
	if l.Perhaps {
		return uncertain
	}
	return gone
}

func (l Loss) meets(room string) bool { return l.Rooms == nil || l.Rooms(room) }

// A Trouble is a time in which the store could not be reached by everyone, so
// that it may be called unavailable.
type Trouble struct {
	From, To time.Duration
}

// fateOf tells the fate of a point, by what it may have met. The story is locked.
func (s *Story) fateOf(p *point) (f fate, by Loss) {
	for _, l := range s.losses {
		if g := l.of(p.known); g > f && l.meets(p.room) {
			f, by = g, l
		}
	}
	return f, by
}

// lossBetween tells whether a loss of a room lies between two times, the second included.
func (s *Story) lossBetween(room string, from, to time.Duration) bool {
	for _, l := range s.losses {
		if l.meets(room) && l.Until+l.Slack > from && l.After < to && l.Until-l.Slack <= to {
			return true
		}
	}
	return false
}

// troubled tells whether the store was in trouble at a time or shortly before.
func (s *Story) troubled(at time.Duration) bool {
	for _, t := range s.troubles {
		if t.From <= at && (t.To == 0 || at <= t.To+troubleLinger) {
			return true
		}
	}
	return false
}

// troubleLinger is how long a trouble may be felt after it has ended: answers
// that were waited for time out, servers elect.
const troubleLinger = 20 * time.Second
