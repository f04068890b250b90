package hub_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// world is a hub, driven from one goroutine, and all that must be true of it.
type world struct {
	t       *testing.T
	rnd     *rand.Rand
	h       *hub.Hub
	options hub.Options
	latest  bool // policy Latest is used too; what a compaction keeps where cannot be seen
	logs    map[hub.Address]*story
	all     []*person
	sent    int
	burst   int // how many messages are sent at once now and then
	size    int // how large those are
}

// story is all that was sent to an address.
type story struct {
	lines []line
	at    broker.Position // of the last recorded line
	known bool            // the hub has seen it
	n     int             // recorded lines
}

type line struct {
	bytes   int
	step    *hub.Step
	except  *person
	instead bool // except gets something in its place
}

// bytes answers how many bytes were sent from a certain line on.
func (s *story) bytes(from int) (n int) {
	for _, l := range s.lines[from:] {
		n += l.bytes
	}
	return n
}

// stand answers the position of somebody who is owed the ith line next.
func (s *story) stand(i int) broker.Position {
	for _, l := range s.lines[i:] {
		if l.step != nil {
			return l.step.Before
		}
	}
	if s.known {
		return s.at
	}
	return broker.Position{}
}

// person is a member, its sink, and what it must still get, in order.
type person struct {
	*hub.Member
	w      *world
	busy   bool
	asleep bool  // it has refused, and not called Writable
	events []any // what has happened that was not judged: a text, a lag, an overflow
	stays  map[hub.Address]*stay
	owed   []letter
	latest map[hub.Address]bool // where it ever was under policy Latest
	sealed bool                 // an overflow is due
	over   bool
	gone   bool
}

// stay is one time of somebody at an address.
type stay struct {
	policy hub.Policy
	lagged bool
	passed int // it has had the lines before, save what was not for it
}

// letter is one message that somebody must get.
type letter struct {
	text      string
	bytes     int
	replayed  bool
	at        *hub.Address // nil: it was sent to the member alone
	stay      *stay        // nil: over, or there was none
	line      int          // of the story
	key       string
	compacted int64 // compactions there had been when it was sent
}

type overflow struct{}

func (p *person) Push(pieces [][]byte) bool {
	if p.busy {
		p.asleep = true
		return false
	}
	var all strings.Builder
	for _, piece := range pieces {
		all.Write(piece)
	}
	for _, text := range strings.Fields(all.String()) {
		p.events = append(p.events, text)
	}
	return true
}

func (p *person) Overflow() { p.events = append(p.events, overflow{}) }

func (p *person) Lagged(at hub.Address, from broker.Position) {
	p.events = append(p.events, lag{at, from})
}

// judge checks all that has happened since it was called last.
func (w *world) judge() {
	w.t.Helper()
	for _, p := range w.all {
		for _, e := range p.events {
			switch e := e.(type) {
			case string:
				p.gets(e)
			case lag:
				p.lags(e)
			case overflow:
				p.overflows()
			}
		}
		p.events = nil
		if p.sealed && !p.over {
			w.t.Fatalf("%s should have had to go", p.ID)
		}
	}
}

// gets checks that a message is the next that is owed, save what newer ones of
// the same key may have replaced.
func (p *person) gets(text string) {
	for i, o := range p.owed {
		if o.text == text {
			if o.stay != nil {
				o.stay.passed = o.line + 1
			}
			p.owed = p.owed[i+1:]
			return
		}
		replaced := o.at != nil && o.key != "" && p.latest[*o.at] && p.w.h.Stats().Compacted > o.compacted &&
			slices.ContainsFunc(p.owed[i+1:], func(n letter) bool { return n.at != nil && *n.at == *o.at && n.key == o.key })
		if !replaced {
			p.w.t.Fatalf("%s got %.20s when %.20s was next, of %v", p.ID, text, o.text, o.at)
		}
	}
	p.w.t.Fatalf("%s got %.20s, which it is not owed", p.ID, text)
}

// lags checks that a member may lag, and that it is told where it stands.
func (p *person) lags(e lag) {
	w, s, story := p.w, p.stays[e.at], p.w.logs[e.at]
	if s == nil || s.policy != hub.Resync || s.lagged {
		w.t.Fatalf("%s lagged at %v: %+v", p.ID, e.at, s)
	}
	if n := story.bytes(s.passed); n <= w.options.LogBytes && w.options.NodeBytes == 0 {
		w.t.Fatalf("%s lagged at %v with %d bytes", p.ID, e.at, n)
	}
	var may []broker.Position
	for i := s.passed; i < len(story.lines); i++ {
		may = append(may, story.stand(i))
		if l := story.lines[i]; l.except != p || l.instead { // those that were not for it may count as had or not
			break
		}
	}
	if !slices.Contains(may, e.from) {
		w.t.Fatalf("%s lagged at %v from %v, and not from %v", p.ID, e.at, e.from, may)
	}
	s.lagged = true
	p.owed = slices.DeleteFunc(p.owed, func(o letter) bool { return o.stay == s })
}

// overflows checks that a member may have to go.
func (p *person) overflows() {
	w := p.w
	may := p.sealed || w.options.NodeBytes != 0
	for at, s := range p.stays {
		switch s.policy {
		case hub.Close:
			may = may || !s.lagged && w.logs[at].bytes(s.passed) > w.options.LogBytes
		case hub.Latest:
			least, most := p.waits()
			may = may || least+most > w.options.MemberBytes
		}
	}
	if p.over || !may {
		w.t.Fatalf("%s overflows (again: %v)", p.ID, p.over)
	}
	p.over, p.owed = true, nil
}

// waits answers how much of what a member is owed counts for its own bound, at
// least and at most: what it may have from a compaction makes the difference.
func (p *person) waits() (least, most int) {
	for _, o := range p.owed {
		switch {
		case o.replayed:
		case o.at != nil && p.latest[*o.at]:
			most += o.bytes
		case o.stay == nil:
			least += o.bytes
			most += o.bytes
		}
	}
	return least, most
}

// idle checks what must be true while the pump has nothing to do.
func (w *world) idle() {
	w.t.Helper()
	var least, most int // what is pinned
	oldest, passed := map[hub.Address]int{}, map[hub.Address]int{}
	lower := func(of map[hub.Address]int, at hub.Address, n int) {
		if old, ok := of[at]; !ok || n < old {
			of[at] = n
		}
	}
	for _, p := range w.all {
		if !p.asleep && len(p.owed) > 0 {
			w.t.Fatalf("%s takes what it gets, and is owed %d messages, %.20s first", p.ID, len(p.owed), p.owed[0].text)
		}
		if p.over || p.gone || !p.asleep {
			continue
		}
		for at, s := range p.stays {
			if !s.lagged {
				lower(passed, at, s.passed)
			}
		}
		for _, o := range p.owed {
			switch {
			case o.at != nil && p.latest[*o.at]:
				most += o.bytes
			case o.stay != nil:
				lower(oldest, *o.at, o.line)
			default:
				least += o.bytes
				most += o.bytes
			}
		}
	}
	for at, line := range oldest {
		n := w.logs[at].bytes(line)
		if least += n; n > w.options.LogBytes {
			w.t.Fatalf("%v keeps %d bytes", at, n)
		}
	}
	for at, line := range passed {
		if n := w.logs[at].bytes(line); w.latest {
			most += n
		} else {
			most += min(n, w.options.LogBytes)
		}
	}
	if pinned := w.h.Pinned(); pinned < int64(least) || pinned > int64(most) {
		w.t.Fatalf("%d bytes are pinned, not %d to %d", pinned, least, most)
	}
}

// unbounded is a bound that no history reaches.
const unbounded = math.MaxInt32
