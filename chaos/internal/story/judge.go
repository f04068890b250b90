package story

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Judge answers every promise that was broken, the earliest first. now is when
// all should have come; with settled, clients that are in a room must stand at
// its end.
func (s *Story) Judge(now time.Duration, settled bool) []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	noticed := s.violations
	s.violations = slices.Clone(noticed)
	s.renewed = map[string]bool{}
	for _, r := range s.rooms {
		s.judgeRoom(r, now, settled)
	}
	s.counts.Forgotten = len(s.renewed)
	s.judgePublishers()
	found := s.violations
	s.violations = noticed
	slices.SortStableFunc(found, func(a, b Violation) int {
		if a.At != b.At {
			return int(a.At/time.Microsecond) - int(b.At/time.Microsecond)
		}
		return strings.Compare(a.Room+a.Client, b.Room+b.Client)
	})
	return found
}

func (s *Story) judgeRoom(r *room, now time.Duration, settled bool) {
	l := s.newLine(r)
	l.judgeKeys()
	for key := range l.renewed {
		s.renewed[key] = true
	}
	for _, t := range r.tracks {
		l.judgeTrack(t)
	}
	if !settled {
		return
	}
	for _, t := range l.behind() {
		at := t.stand()
		l.violate(now, "lost", t.client, fmt.Sprintf("all is quiet, it stands at %s, and the room at %s", textOf(at), textOf(l.end)))
	}
}

// Behind answers how many clients do not stand at the end of a room in which they
// are.
func (s *Story) Behind() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rooms {
		n += len(s.newLine(r).behind())
	}
	return n
}

// Pending answers the publications that nobody has been told the outcome of.
func (s *Story) Pending() (list []Publication) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.publications {
		if p.point == nil {
			list = append(list, p.Publication)
		}
	}
	return list
}

// A line is the order of a room: all points that name a message, by epoch and
// offset.
type line struct {
	*room
	story *Story
	lines map[string][]*point
	fates map[*point]fate
	end   *point // where everybody should stand; nil: anywhere
	// renewed are keys whose message was recorded a second time when the store could
	// not know them any more; see Restarted.
	renewed map[string]bool
}

func (s *Story) newLine(r *room) *line {
	l := &line{room: r, story: s, lines: map[string][]*point{}, fates: map[*point]fate{}, renewed: map[string]bool{}}
	for _, p := range r.points {
		if p.empty() || p.hearsay && r.overheard(p) {
			continue
		}
		l.lines[p.epoch] = append(l.lines[p.epoch], p)
		if f, _ := s.fateOf(p); f != kept {
			l.fates[p] = f
		}
	}
	for _, points := range l.lines {
		slices.SortFunc(points, func(a, b *point) int {
			if a.offset != b.offset {
				if a.offset < b.offset {
					return -1
				}
				return 1
			}
			return strings.Compare(a.tag, b.tag)
		})
	}
	l.end = l.last()
	return l
}

// overheard tells whether a message is known at the offset of a point that is
// hearsay, so that the point is another name of it.
func (r *room) overheard(p *point) bool {
	for _, other := range r.points {
		if other != p && !other.hearsay && other.epoch == p.epoch && other.offset == p.offset && other.key == p.key {
			other.acked = true
			return true
		}
	}
	return false
}

// last answers the end of the room: the furthest point of the newest epoch that
// the store has not lost.
func (l *line) last() (end *point) {
	for _, points := range l.lines {
		for i := len(points) - 1; i >= 0; i-- {
			if p := points[i]; l.fates[p] == kept {
				if end == nil || p.known > end.known {
					end = p
				}
				break
			}
		}
	}
	return end
}

// behind answers the tracks of clients that are here and do not stand at the end.
// Of what the store may have lost nobody knows the end: who stands at an
// uncertain point is let off.
func (l *line) behind() (late []*track) {
	if l.end == nil {
		return nil
	}
	for _, t := range l.tracks {
		at := t.stand()
		if !t.here || at == l.end || at != nil && l.fates[at] == uncertain {
			continue
		}
		if at != nil && at.empty() && l.fates[l.end] == kept && at.epoch == l.end.epoch && at.offset >= l.end.offset {
			continue // it was told that the room is empty, after a loss
		}
		late = append(late, t)
	}
	return late
}

// stand answers where a client stands.
func (t *track) stand() *point {
	for i := len(t.steps) - 1; i >= 0; i-- {
		switch st := t.steps[i]; st.kind {
		case Joined, Recovered, Reset, Got, Moved:
			return st.point
		}
	}
	return nil
}

func (l *line) violate(at time.Duration, kind, client, text string) {
	l.story.violate(at, kind, l.name, client, text)
}

// judgeKeys finds messages that were recorded twice, and two messages at one
// place.
func (l *line) judgeKeys() {
	of := map[string]*point{}
	for _, points := range l.lines {
		for i, p := range points {
			if i > 0 && points[i-1].offset == p.offset && l.fates[p] == kept && l.fates[points[i-1]] == kept {
				l.violate(p.known, "forked", "-", fmt.Sprintf("%s and %s are at one offset", points[i-1].text, p.text))
			}
			other := of[p.key]
			if p.key == "" || l.fates[p] != kept {
				continue
			}
			switch {
			case other != nil && l.forgotten(other, p):
				l.renewed[p.key] = true
			case other != nil:
				l.violate(max(p.known, other.known), "doubled", "-", fmt.Sprintf("%q is recorded at %s and at %s", p.key, other.text, p.text))
			}
			of[p.key] = p
		}
	}
	for key, pub := range l.story.publications {
		if pub.Room == l.name && pub.point != nil && pub.point.key != key && l.fates[pub.point] == kept {
			l.violate(pub.acked, "forked", pub.Publisher, fmt.Sprintf("%q was acknowledged at %s, where %q is", key, pub.point.text, pub.point.key))
		}
	}
}

// judgePublishers checks that what one client published in a room has the order
// in which it did.
func (s *Story) judgePublishers() {
	type lane struct{ publisher, room string }
	lanes := map[lane][]*publication{}
	for _, p := range s.publications {
		if p.point != nil && !s.renewed[p.Key] {
			if f, _ := s.fateOf(p.point); f == kept {
				at := lane{p.Publisher, p.Room}
				lanes[at] = append(lanes[at], p)
			}
		}
	}
	for _, list := range lanes {
		slices.SortFunc(list, func(a, b *publication) int { return int(a.Begun - b.Begun) })
		for i := 1; i < len(list); i++ {
			a, b := list[i-1], list[i]
			if a.Begun < b.Begun && a.point.epoch == b.point.epoch && a.point.offset >= b.point.offset {
				s.violate(b.acked, "reordered", b.Room, b.Publisher,
					fmt.Sprintf("it published %q before %q, and they are at %s and %s", a.Key, b.Key, a.point.text, b.point.text))
			}
		}
	}
}

func textOf(p *point) string {
	if p == nil {
		return "nowhere"
	}
	return p.text
}
