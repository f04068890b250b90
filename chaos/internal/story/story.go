package story

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Depth is how many messages a room keeps for those who come back.
type Depth func(room string) int

// A Story is all that was seen. The zero value is not usable: see [New].
type Story struct {
	depth Depth

	mu           sync.Mutex
	rooms        map[string]*room
	publications map[string]*publication
	losses       []Loss
	restarts     []time.Duration
	renewed      map[string]bool // of the last judgement
	troubles     []Trouble
	violations   []Violation // those that are seen at once
	counts       Counts
	resets       map[string]int
}

// Counts are how much happened.
type Counts struct {
	Published  int // messages that a publisher began
	Acked      int // that are known to be recorded
	Duplicates int // acknowledgements that said so
	Retries    int
	Deliveries int
	Moved      int
	Fresh      int // entered without a past
	Resumes    int // went on where they were
	Replayed   int // messages that resumes brought
	Lagged     int
	Forgotten  int            // keys that came again when the store had forgotten them with their message
	Resets     map[string]int // by reason
}

// New begins a story. depth tells how many messages a room keeps.
func New(depth Depth) *Story {
	return &Story{depth: depth, rooms: map[string]*room{}, publications: map[string]*publication{}, resets: map[string]int{}}
}

// room is what is known of one room.
type room struct {
	name   string
	points map[string]*point // by the text of the position
	tracks map[string]*track // by client
}

// point is one position of a room.
type point struct {
	position
	room  string
	text  string
	key   string // of the message there; empty if nobody has said
	known time.Duration
	acked bool
	// hearsay: only answers to repeated publishes have named it. What the store has
	// let go of by then it cannot compare: the tag of such an answer may be any.
	hearsay bool
}

// track is one client in one room.
type track struct {
	client string
	steps  []step
	here   bool // it is in the room, and will be told what comes
}

type step struct {
	at      time.Duration
	point   *point // nil where there is none
	shown   *point
	reason  string
	session int32
	node    int16
	kind    Kind
}

type publication struct {
	Publication
	point *point
	acked time.Duration
}

func (s *Story) room(name string) *room {
	r := s.rooms[name]
	if r == nil {
		r = &room{name: name, points: map[string]*point{}, tracks: map[string]*track{}}
		s.rooms[name] = r
	}
	return r
}

// pointAt answers the point of a position; nil if the text is empty or no
// position.
func (s *Story) pointAt(r *room, text string, at time.Duration) *point {
	if text == "" {
		return nil
	}
	if p := r.points[text]; p != nil {
		return p
	}
	where, err := parsePosition(text)
	if err != nil {
		s.violate(at, "bad position", r.name, "", fmt.Sprintf("%q: %v", text, err))
		return nil
	}
	text = strings.Clone(text)
	p := &point{room: r.name, position: where, text: text, known: at}
	r.points[text] = p
	return p
}

// Saw tells what a client saw.
func (s *Story) Saw(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.room(e.Room)
	t := r.tracks[e.Client]
	if t == nil {
		t = &track{client: e.Client}
		r.tracks[e.Client] = t
	}
	p := s.pointAt(r, e.Position, e.At)
	if p != nil {
		p.hearsay = false
	}
	switch e.Kind {
	case Joined:
		s.counts.Fresh++
		t.here = true
	case Recovered:
		s.counts.Resumes++
		s.counts.Replayed += e.Missed
		t.here = true
	case Reset:
		s.resets[e.Reason]++
		t.here = true
	case Got:
		s.counts.Deliveries++
		s.learn(r, p, e)
	case Moved:
		s.counts.Moved++
	case Lagged:
		s.counts.Lagged++
	case Away, Left, Expelled:
		t.here = false
	}
	t.steps = append(t.steps, step{e.At, p, s.pointAt(r, e.Shown, e.At), e.Reason, int32(e.Session), int16(e.Node), e.Kind})
}

// learn notes which message is at a point.
func (s *Story) learn(r *room, p *point, e Event) {
	switch {
	case p == nil:
		s.violate(e.At, "bad message", r.name, e.Client, "a recorded message without a position")
	case p.key == "":
		if p.key = e.Key; s.publications[e.Key] == nil || s.publications[e.Key].Room != r.name {
			s.violate(e.At, "invented", r.name, e.Client, fmt.Sprintf("nobody published %q here (%s)", e.Key, p.text))
		}
	case p.key != e.Key:
		s.violate(e.At, "forked", r.name, e.Client, fmt.Sprintf("%s is %q, and was %q", p.text, e.Key, p.key))
	}
}

// Published tells that a publisher begins to publish: before the first try.
func (s *Story) Published(p Publication) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Published++
	s.publications[p.Key] = &publication{Publication: p}
}

// Retried counts a further try.
func (s *Story) Retried() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts.Retries++
}

// Acknowledged tells that a publisher was told that its message is recorded.
func (s *Story) Acknowledged(at time.Duration, key, where string, duplicate bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	pub := s.publications[key]
	r := s.room(pub.Room)
	_, known := r.points[where]
	p := s.pointAt(r, where, at)
	if duplicate {
		s.counts.Duplicates++
	}
	if p != nil {
		p.hearsay = duplicate && (!known || p.hearsay)
	}
	switch {
	case p == nil:
		s.violate(at, "bad answer", pub.Room, pub.Publisher, fmt.Sprintf("%q was acknowledged at %q", key, where))
		return
	case p.key == "":
		p.key = key
	case p.key != key:
		s.violate(at, "forked", pub.Room, pub.Publisher, fmt.Sprintf("%q was acknowledged at %s, where %q is", key, where, p.key))
	}
	if pub.point == nil {
		s.counts.Acked++
		pub.acked = at
	}
	p.acked = true
	pub.point = p
}

// Lost tells that the store was made to forget.
func (s *Story) Lost(l Loss) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.losses = append(s.losses, l)
}

// Troubled tells of a time in which the store may be called unavailable, and
// answers how to end it.
func (s *Story) Troubled(from time.Duration) (end func(to time.Duration)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := len(s.troubles)
	s.troubles = append(s.troubles, Trouble{From: from})
	return func(to time.Duration) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.troubles[i].To = to
	}
}

// Violate notes what somebody else has found broken.
func (s *Story) Violate(v Violation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, v)
}

func (s *Story) violate(at time.Duration, kind, room, client, text string) {
	s.violations = append(s.violations, Violation{at, kind, room, client, text})
}

// Counts answers how much happened so far.
func (s *Story) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.counts
	c.Resets = maps.Clone(s.resets)
	return c
}

// Gap answers the longest time within a span in which a room that was published
// in had no acknowledgement, and the room. Rooms that are quiet anyway, with
// fewer than 20 acknowledgements in all, do not count.
func (s *Story) Gap(from, to time.Duration) (longest time.Duration, where string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	acks := map[string][]time.Duration{}
	for _, p := range s.publications {
		if p.point != nil {
			acks[p.Room] = append(acks[p.Room], p.acked)
		}
	}
	for room, times := range acks {
		if len(times) < 20 {
			continue
		}
		slices.Sort(times)
		for i := 1; i < len(times); i++ {
			begin, end := times[i-1], times[i]
			if begin <= to && end >= from && end-begin > longest {
				longest, where = end-begin, room
			}
		}
	}
	return longest, where
}
