package hub_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

var (
	seeds = flag.Int("hub.seeds", 300, "how many random histories to try")
	seed  = flag.Uint64("hub.seed", 0, "try this one only")
)

// TestRandomHistoriesMatchTheModel drives the hub from one goroutine: what each
// member must get is then exactly what was sent to it while it was there, in
// the order of the calls, save what a policy takes away.
func TestRandomHistoriesMatchTheModel(t *testing.T) {
	var lagged, compacted, over int
	for s := range uint64(*seeds) {
		s++
		if *seed != 0 {
			s = *seed
		}
		ok := t.Run(fmt.Sprint(s), func(t *testing.T) {
			w := newWorld(t, s)
			for range 400 {
				w.act()
			}
			w.end()
			lagged += int(w.h.Stats().Lagged)
			compacted += int(w.h.Stats().Compacted)
			for _, p := range w.all {
				if p.over {
					over++
				}
			}
		})
		if !ok {
			t.Fatalf("reproduce with: go test ./internal/hub -run Model -hub.seed %d", s)
		}
		if *seed != 0 {
			return
		}
	}
	t.Logf("%d times lagged, %d times compacted, %d had to go", lagged, compacted, over)
	if *seeds >= 100 && (lagged < *seeds || compacted < *seeds || over < *seeds/4) {
		t.Error("the histories hardly tried what they are about")
	}
}

// places are all that there are.
var places = []hub.Address{
	{}, {Kind: hub.User, Name: "ann"}, {Kind: hub.User, Name: "bob"},
	room("red"), room("green"), room("blue"), {Kind: hub.Watch, Name: "blue"},
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, rnd: rand.New(rand.NewPCG(seed, 1)), logs: map[hub.Address]*story{}, latest: seed%2 == 0}
	switch seed % 5 {
	case 0:
		w.options = hub.Options{LogBytes: unbounded, MemberBytes: unbounded}
	case 1:
		w.options = hub.Options{LogBytes: unbounded, MemberBytes: unbounded, NodeBytes: 20_000}
	default:
		w.options = hub.Options{LogBytes: 1 + w.rnd.IntN(10_000), MemberBytes: 1 + w.rnd.IntN(20_000)}
	}
	switch seed % 7 { // more than one Push takes
	case 3:
		w.burst, w.size = 1500, 4
		w.options.LogBytes = 5000 + w.rnd.IntN(50_000)
	case 5:
		w.burst, w.size = 5, 80_000
		w.options.LogBytes = 100_000 + w.rnd.IntN(1_000_000)
	}
	w.h = hub.New(w.options)
	for _, at := range places {
		w.logs[at] = new(story)
	}
	return w
}

// text makes the text of a message of a size up to this, which no other has.
func (w *world) text(size int) string {
	w.sent++
	size = w.rnd.IntN(1 + w.rnd.IntN(size))
	if size > 100 && w.rnd.IntN(40) == 0 {
		size += 9000 // one that is not copied
	}
	return fmt.Sprint("m", w.sent, ".", strings.Repeat("x", size))
}

// somebody answers one of those who are here, or nil.
func (w *world) somebody() *person {
	here := slices.DeleteFunc(slices.Clone(w.all), func(p *person) bool { return p.gone })
	if len(here) == 0 {
		return nil
	}
	return here[w.rnd.IntN(len(here))]
}

func (w *world) somewhere() hub.Address { return places[w.rnd.IntN(len(places))] }

// act does something.
func (w *world) act() {
	p, at := w.somebody(), w.somewhere()
	switch op := w.rnd.IntN(40); {
	case op == 0 || p == nil:
		w.join()
	case op == 1:
		if over := w.somebody(); over.over {
			p = over
		}
		w.h.Remove(p.Member)
		w.judge()
		p.gone, p.owed = true, nil
		for at, s := range p.stays {
			w.leave(p, at, s)
		}
	case op < 5:
		w.enter(p, at)
	case op == 5:
		w.exit(p, at)
	case op == 6:
		if got := w.h.Forget(p.Member, at); got != (p.stays[at] != nil) {
			w.t.Fatalf("Forget: %v", got)
		}
		p.owed = slices.DeleteFunc(p.owed, func(o letter) bool { return o.at != nil && *o.at == at })
		if s := p.stays[at]; s != nil {
			w.leave(p, at, s)
		}
	case op < 10:
		w.resume(p, at)
	case op < 12:
		p.busy = true
	case op < 14:
		w.awake(p)
	case op < 16:
		for range w.rnd.IntN(4) {
			w.h.Step()
		}
	case op < 19:
		settle(w.h)
		w.judge()
		w.idle()
	case op < 23:
		w.sendTo(p)
	case op == 23:
		w.replay(p)
	case op == 24:
		for _, text := range strings.Fields(string(bytes.Join(w.h.Finish(p.Member), nil))) {
			p.events = append(p.events, text)
		}
		if w.judge(); len(p.owed) > 0 {
			w.t.Fatalf("%s is finished and still owed %.20s", p.ID, p.owed[0].text)
		}
	default:
		n, size := 1+w.rnd.IntN(4), 1500
		if w.burst > 0 && w.rnd.IntN(20) == 0 {
			n, size = w.rnd.IntN(2*w.burst), w.size
		}
		for range n {
			if w.send(at, p, size); w.rnd.IntN(3) == 0 {
				at = w.somewhere()
			}
		}
	}
	w.judge()
}

func (w *world) join() {
	p := &person{w: w, stays: map[hub.Address]*stay{}, latest: map[hub.Address]bool{}}
	p.Member = &hub.Member{
		ID: fmt.Sprint(len(w.all)), User: []string{"", "ann", "bob"}[w.rnd.IntN(3)], Sink: p, Rendition: hub.Rendition(w.rnd.IntN(3)),
	}
	w.h.Add(p.Member)
	w.all = append(w.all, p)
	p.stays[hub.Address{}] = &stay{passed: len(w.logs[hub.Address{}].lines)}
	if p.User != "" {
		at := hub.Address{Kind: hub.User, Name: p.User}
		p.stays[at] = &stay{passed: len(w.logs[at].lines)}
	}
	w.enter(p, hub.Address{})
	if p.User != "" {
		w.enter(p, hub.Address{Kind: hub.User, Name: p.User})
	}
}

func (w *world) enter(p *person, at hub.Address) {
	policy := hub.Resync
	switch {
	case w.rnd.IntN(8) == 0:
		policy = hub.Close
	case w.latest && w.rnd.IntN(2) == 0:
		policy = hub.Latest
	}
	s := p.stays[at]
	if s != nil && s.policy == hub.Latest {
		policy = hub.Latest // else the model would not know what is compacted and what is in the log
	}
	if err := w.h.Enter(p.Member, at, policy); err != nil {
		w.t.Fatal(err)
	}
	if s == nil {
		s = &stay{passed: len(w.logs[at].lines)}
		p.stays[at] = s
	}
	if s.policy = policy; policy == hub.Latest {
		p.latest[at] = true
	}
}

func (w *world) exit(p *person, at hub.Address) {
	s, added := p.stays[at], 0
	if got := w.h.Exit(p.Member, at); got != (s != nil) {
		w.t.Fatalf("Exit: %v", got)
	}
	if s == nil {
		return
	}
	for i := range p.owed {
		if o := &p.owed[i]; o.stay == s {
			o.stay, added = nil, added+o.bytes
		}
	}
	least, most := p.waits()
	if added > 0 && least > max(added, w.options.MemberBytes) || w.latest && most > w.options.MemberBytes && p.isOver() {
		p.sealed = true
	}
	w.leave(p, at, s)
}

// isOver tells whether an overflow has happened that is not judged yet.
func (p *person) isOver() bool { return slices.Contains(p.events, any(overflow{})) }

func (w *world) leave(p *person, at hub.Address, s *stay) {
	delete(p.stays, at)
	if w.h.Count(at) == 0 {
		w.logs[at].known = false
	}
}

func (w *world) resume(p *person, at hub.Address) {
	s := p.stays[at]
	if got := w.h.Resume(p.Member, at); got != (s != nil && !p.over) {
		w.t.Fatalf("Resume: %v", got)
	}
	if s != nil && s.lagged {
		s.lagged, s.passed = false, len(w.logs[at].lines)
	}
}

func (w *world) awake(p *person) {
	p.busy = false
	if p.asleep {
		p.asleep = false
		w.h.Writable(p.Member)
	}
}

func (w *world) sendTo(p *person) {
	text := w.text(1500)
	least, most := p.waits()
	size := len(text) + 1
	must := p.over || least > 0 && least+size > w.options.MemberBytes
	may := must || w.latest && most+size > w.options.MemberBytes
	err := w.h.SendTo(p.Member, []byte(text+"\n"))
	if err != nil && (err != hub.ErrSlow || !may) || err == nil && must {
		w.t.Fatalf("%s is sent %d bytes with %d to %d waiting: %v", p.ID, size, least, most, err)
	}
	if err != nil {
		p.sealed = true
		return
	}
	p.owed = append(p.owed, letter{text: text, bytes: size})
}

func (w *world) replay(p *person) {
	var frames [][]byte
	var letters []letter
	size := 0
	for range w.rnd.IntN(6) {
		text := w.text(1500)
		frames = append(frames, []byte(text+"\n"))
		letters = append(letters, letter{text: text, bytes: len(text) + 1, replayed: true})
		size += len(text) + 1
	}
	limit := w.rnd.IntN(30_000)
	must, may := p.over || len(frames) > 0 && size > limit, len(frames) > 0
	err := w.h.Replay(p.Member, frames, limit)
	if err != nil && (err != hub.ErrSlow || !must && !may) || err == nil && must {
		w.t.Fatalf("%s is replayed %d bytes, at most %d: %v", p.ID, size, limit, err)
	}
	if err == nil {
		p.owed = append(p.owed, letters...)
	}
}

func (w *world) send(at hub.Address, except *person, size int) {
	story, text := w.logs[at], w.text(size)
	m := message(text)
	m.Render = func(r hub.Rendition, b []byte) []byte {
		if r == 1 {
			return bytes.ToUpper(b)
		}
		return nil
	}
	m.Key = []string{"", "a", "b", "c"}[w.rnd.IntN(4)]
	if w.rnd.IntN(2) == 0 {
		m.Step = w.step(story)
	}
	if w.rnd.IntN(3) > 0 {
		except = nil
	}
	instead := ""
	if except != nil && w.rnd.IntN(2) == 0 {
		instead = w.text(size)
		m.Instead = message(instead).Frame
	}
	n := len(story.lines)
	story.lines = append(story.lines, line{len(m.Frame) + len(m.Instead), m.Step, except, instead != ""})
	if m.Step != nil && w.h.Count(at) > 0 {
		story.known = true
	}
	for _, p := range w.all {
		s := p.stays[at]
		if s == nil || s.lagged || p.over || p == except && instead == "" {
			continue
		}
		mine := letter{text: text, bytes: len(m.Frame), at: &at, stay: s, line: n, key: m.Key, compacted: w.h.Stats().Compacted}
		switch {
		case p == except: // as it is, and never replaced
			mine.text, mine.bytes, mine.key = instead, len(m.Instead), ""
		case p.Rendition == 1:
			mine.text = strings.ToUpper(text)
		}
		p.owed = append(p.owed, mine)
	}
	if except == nil {
		w.h.Send(at, m, nil)
	} else {
		w.h.Send(at, m, except.Member)
	}
	w.judge()
}

// step records one more message.
func (w *world) step(s *story) *hub.Step {
	before := s.at
	s.n++
	s.at = broker.Position{Epoch: "e", Offset: uint64(s.n), Tag: uint64(s.n)}
	return &hub.Step{Before: before, At: s.at}
}

// end lets everybody read: then nothing may be left.
func (w *world) end() {
	for _, p := range w.all {
		if !p.gone {
			w.awake(p)
		}
	}
	settle(w.h)
	w.judge()
	w.idle()
	if w.h.Pinned() != 0 {
		w.t.Fatalf("%d bytes are pinned for nobody", w.h.Pinned())
	}
	members, _, _ := w.h.Size()
	for _, p := range w.all {
		if w.h.Remove(p.Member) == p.gone {
			w.t.Fatalf("%s is gone: %v", p.ID, p.gone)
		}
		if !p.gone {
			members--
		}
	}
	if m, u, r := w.h.Size(); members != 0 || m != 0 || u != 0 || r != 0 {
		w.t.Fatalf("left: %d members, %d users, %d rooms", m, u, r)
	}
}
