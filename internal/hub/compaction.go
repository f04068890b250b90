package hub

import (
	"bytes"
	"slices"
)

// compaction is what is left of some entries when only the newest of each key
// is kept.
type compaction struct {
	list []overdue
	keys map[string]bool // those of list
}

// compactions are those of one log that several members share.
type compactions struct {
	from, to uint64
	made     [Renditions]*compaction
	excluded []*Member // who shares none
}

// of answers the compaction of all that a sub is owed. Called with log.mu held.
func (c *compactions) of(s *sub) *compaction {
	from, to, t, m := s.cursor.Load(), s.log.head.Load(), s.log.traffic, s.member
	if c.from != from || c.to != to {
		*c = compactions{from: from, to: to, excluded: t.excluded(from, to)}
	}
	if slices.Contains(c.excluded, m) {
		return s.log.compact(from, m)
	}
	if c.made[m.Rendition] == nil {
		c.made[m.Rendition] = s.log.compact(from, m)
	}
	return c.made[m.Rendition]
}

// compact keeps the newest of each key of all entries from a certain one on, in
// their order, and for m those that leave it out as it gets them.
func (l *log) compact(from uint64, m *Member) *compaction {
	t := l.traffic
	c := &compaction{keys: make(map[string]bool)}
	spans := t.spans(m.Rendition)
	for i := len(t.entries) - 1; i >= int(from-t.base); i-- {
		e := &t.entries[i]
		its, key := e.spanFor(m, spans[i]), e.key
		if e.except == m { // it is no news
			key = ""
		}
		if its.segment == nil || c.keys[key] {
			continue
		}
		if key != "" {
			c.keys[key] = true
		}
		// A copy of its own: one that is not replaced for long would hold the
		// segment with all the others.
		c.list = append(c.list, overdue{e.seq, alone(bytes.Clone(its.bytes())), l, key})
	}
	slices.Reverse(c.list)
	return c
}
