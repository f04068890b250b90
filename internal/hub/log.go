package hub

import (
	"slices"
	"sync"
	"sync/atomic"

	"github.com/finch-go/finch/broker"
)

// log is an address that has members: the entries that some of them may still
// be owed. Most logs are quiet most of the time: what only a busy one needs is
// its traffic, and the order of the fields leaves no gaps.
type log struct {
	name string
	subs []*sub // those that are current first

	// head is the number of the next entry. Written with mu held.
	head atomic.Uint64

	traffic *traffic         // nil: no entry is kept
	last    *broker.Position // of the last recorded entry; nil: there was none

	mu      sync.Mutex // guards everything but name and kind
	current uint32     // how many subs are
	kind    Kind
	hint    uint16 // how much was laid before it was quiet last, in units of hintUnit bytes
}

const hintUnit = 64

func (l *log) at() Address { return Address{l.kind, l.name} }

// append adds an entry.
func (l *log) append(seq uint64, m Message, except *Member) *traffic {
	t := l.traffic
	if t == nil {
		t = newTraffic(l.head.Load(), int(l.hint)*hintUnit)
		l.traffic = t
	}
	if len(m.Frame) <= copyMax {
		t.laid += len(m.Frame)
	}
	t.plain.add(m.Frame)
	e := entry{seq: seq, except: except, render: m.Render, step: m.Step, key: m.Key}
	if except != nil {
		e.instead = m.Instead
	}
	t.entries = append(t.entries, e)
	t.pinned += len(m.Frame) + len(e.instead)
	if m.Step != nil {
		if l.last == nil {
			l.last = new(broker.Position)
		}
		*l.last = m.Step.At
	}
	l.head.Store(t.base + uint64(len(t.entries)))
	return t
}

// trim forgets the entries that nobody is owed any more and answers how many
// bytes that were.
func (l *log) trim() (freed int) {
	t := l.traffic
	if t == nil {
		return 0
	}
	n := 0
	for walked := int(t.walked - t.base); n < walked && t.entries[n].late == nil; n++ {
		freed += t.plain.spans[n].len() + len(t.entries[n].instead)
	}
	if n > 0 {
		t.drop(n)
		t.pinned -= freed
	}
	if len(t.entries) == 0 { // so that no walk is under way or due
		l.hint = 0
		if t.base-t.since > 1 { // one that speaks now and then needs no more than it says
			l.hint = uint16(min(t.laid, segmentMax) / hintUnit)
		}
		l.traffic = nil
		t.free()
	}
	return freed
}

// enter adds a sub that is owed what comes from now on.
func (l *log) enter(s *sub) {
	s.place = uint32(len(l.subs))
	l.subs = grown(l.subs)
	l.subs = append(l.subs, s)
	s.cursor.Store(l.head.Load())
	l.takeBack(s)
}

// exit removes a sub, and answers how many bytes only it was owed.
func (l *log) exit(s *sub) (freed int) {
	freed = l.takeOff(s)
	s.state = out
	last := uint32(len(l.subs) - 1)
	l.swap(s.place, last)
	l.subs[last] = nil
	l.subs = shrunk(l.subs[:last])
	return freed
}

// takeOff sees to it that a sub is owed nothing, and answers how many bytes
// only it was owed.
func (l *log) takeOff(s *sub) (freed int) {
	switch s.state {
	case current:
		l.setAside(s)
	case late:
		l.traffic.unqueue(s)
		freed = l.trim()
	}
	s.state = off
	return freed
}

// fallBehind makes a sub late if it is owed anything.
func (l *log) fallBehind(s *sub) {
	if s.state == current && s.behind() {
		l.setAside(s)
		s.state = late
		l.traffic.queue(s)
	}
}

// advance moves the cursor of a sub that is late, and answers how many bytes
// nobody is owed any more.
func (l *log) advance(s *sub, to uint64) (freed int) {
	l.traffic.unqueue(s)
	s.cursor.Store(to)
	if to < l.head.Load() {
		l.traffic.queue(s)
	} else {
		l.takeBack(s)
	}
	return l.trim()
}

// takeBack makes a sub current that stands aside and is owed nothing.
func (l *log) takeBack(s *sub) {
	s.state = current
	l.swap(s.place, l.current)
	l.current++
}

// setAside takes a current sub out of the way of walks.
func (l *log) setAside(s *sub) {
	l.current--
	l.swap(s.place, l.current)
}

func (l *log) swap(i, j uint32) {
	l.subs[i], l.subs[j] = l.subs[j], l.subs[i]
	l.subs[i].place, l.subs[j].place = i, j
}

// fewSubs is up to how many subs a list has no room to spare.
const fewSubs = 8

// grown makes room for one more.
func grown(subs []*sub) []*sub {
	if n := len(subs); n == cap(subs) && n < fewSubs {
		return append(make([]*sub, 0, n+1), subs...)
	}
	return subs
}

// shrunk gives memory back that is not needed any more.
func shrunk(subs []*sub) []*sub {
	switch n := len(subs); {
	case n == 0:
		return nil
	case n < fewSubs && n < cap(subs), n < cap(subs)/4:
		return slices.Clip(append(make([]*sub, 0, n), subs...))
	}
	return subs
}
