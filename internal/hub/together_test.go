package hub_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// history records what is published in a room, and catches up whoever lagged:
// what stands above the hub in a program.
type history struct {
	at     hub.Address
	mu     sync.Mutex
	frames [][]byte
}

func (s *history) publish(h *hub.Hub) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.frames) + 1
	m := recorded(fmt.Sprintf("p.%s.%d", s.at.Name, n), n)
	s.frames = append(s.frames, m.Frame)
	h.Send(s.at, m, nil)
}

func (s *history) catchUp(h *hub.Hub, m *hub.Member, from broker.Position, ready func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready()
	if err := h.Replay(m, s.frames[from.Offset:], 1<<30); err != nil {
		return err
	}
	h.Resume(m, s.at)
	return nil
}

// witness is a member and its sink, which checks the order of what it gets.
type witness struct {
	*hub.Member
	t *testing.T

	mu       sync.Mutex
	busy     bool
	refused  bool
	over     bool
	away     map[string]bool   // rooms that nothing may come of
	lags     []lag             // not caught up yet
	off      map[string]uint64 // rooms that it lags in, and from where
	last     map[string]int    // of each sender and place: the number of what came last
	complete bool              // nothing recorded may be missing
}

func (w *witness) Push(pieces [][]byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		w.t.Errorf("%s is pushed something after its overflow", w.ID)
	}
	if w.busy {
		w.refused = true
		return false
	}
	for _, p := range pieces {
		for _, text := range strings.Fields(string(p)) {
			w.read(text)
		}
	}
	return true
}

func (w *witness) read(text string) {
	i := strings.LastIndexByte(text, '.')
	var n int
	fmt.Sscan(text[i+1:], &n)
	sender := text[:i]
	kind, name, _ := strings.Cut(sender, ".")
	switch last := w.last[sender]; {
	case n <= last:
		w.t.Errorf("%s got %s after %d", w.ID, text, last)
	case kind == "d" && n != last+1, kind == "p" && w.complete && n != last+1:
		w.t.Errorf("%s got %s after %d: something is missing", w.ID, text, last)
	}
	w.last[sender] = n
	if w.away[name] && kind != "d" {
		w.t.Errorf("%s got %s after it was forgotten", w.ID, text)
	}
	if from, off := w.off[name]; w.complete && off && kind == "p" && uint64(n) > from {
		w.t.Errorf("%s got %s and has lagged from %d", w.ID, text, from)
	}
}

func (w *witness) Overflow() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over {
		w.t.Errorf("%s overflows twice", w.ID)
	}
	w.over = true
}

func (w *witness) Lagged(at hub.Address, from broker.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.last["p."+at.Name]; uint64(last) > from.Offset {
		w.t.Errorf("%s lagged from %d and has had %d", w.ID, from.Offset, last)
	}
	w.off[at.Name] = from.Offset
	w.lags = append(w.lags, lag{at, from})
}

// setBusy makes it refuse or take what it gets.
func (w *witness) setBusy(h *hub.Hub, busy bool) {
	w.mu.Lock()
	w.busy = busy
	call := !busy && w.refused
	w.refused = w.refused && busy
	w.mu.Unlock()
	if call {
		h.Writable(w.Member)
	}
}

// recover catches up with what it lagged behind; false if there was nothing.
func (w *witness) recover(h *hub.Hub, rooms map[string]*history) bool {
	w.mu.Lock()
	lags := w.lags
	w.lags = nil
	w.mu.Unlock()
	for _, l := range lags {
		if !w.complete { // it does not miss what it missed
			h.Resume(w.Member, l.at)
			continue
		}
		err := rooms[l.at.Name].catchUp(h, w.Member, l.from, func() {
			w.mu.Lock()
			delete(w.off, l.at.Name)
			w.mu.Unlock()
		})
		if err != nil {
			w.t.Errorf("%s: %v", w.ID, err)
		}
	}
	return len(lags) > 0
}

// TestNothingIsLostWhileEverythingHappens runs everything at once: whoever lags
// and is caught up must have had all that was recorded, and nobody gets anything
// twice, out of order, or that it may not get.
func TestNothingIsLostWhileEverythingHappens(t *testing.T) {
	h, stopPumps := pumped(hub.Options{LogBytes: 300})
	stop := make(chan struct{})
	var senders, owners sync.WaitGroup
	rooms := map[string]*history{}
	names := []string{"red", "green", "blue"}
	for _, name := range names {
		rooms[name] = &history{at: room(name)}
	}
	all := witnesses(t, h, names)
	for i, w := range all {
		owners.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(i), 3))
			for {
				select {
				case <-stop:
					return
				default:
				}
				w.setBusy(h, rnd.IntN(4) > 0)
				w.recover(h, rooms)
				if name := names[rnd.IntN(3)]; strings.HasPrefix(w.ID, "restless") {
					w.move(h, name, rnd.IntN(2) == 0)
				}
				runtime.Gosched()
			}
		})
	}
	var ends [4]int // the number of what each sender says last
	for s := range ends {
		senders.Go(func() { ends[s] = say(h, s, names, rooms) })
	}
	senders.Wait()
	close(stop)
	owners.Wait()
	stopPumps()
	calmDown(t, h, all, rooms)
	if h.Pinned() != 0 {
		t.Errorf("%d bytes are pinned", h.Pinned())
	}
	for _, w := range all {
		for _, at := range rooms {
			if got := w.last["p."+at.at.Name]; w.complete && !w.over && got != len(at.frames) {
				t.Errorf("%s has had %d of %d in %v", w.ID, got, len(at.frames), at.at.Name)
			}
			for s, end := range ends {
				got := w.last[fmt.Sprintf("e.%s.%d", at.at.Name, s)]
				if strings.HasPrefix(w.ID, "latest") && !w.over && got != end {
					t.Errorf("%s has had %d of %d from sender %d in %v", w.ID, got, end, s, at.at.Name)
				}
			}
		}
	}
	if t.Logf("%+v", h.Stats()); h.Stats().Lagged < 10 || h.Stats().Compacted < 10 {
		t.Error("hardly anybody was behind")
	}
}

// move lets a member leave a room for good, or come back.
func (w *witness) move(h *hub.Hub, name string, in bool) {
	if in {
		w.mu.Lock()
		w.away[name] = false
		w.mu.Unlock()
		h.Enter(w.Member, room(name), hub.Resync)
		return
	}
	h.Forget(w.Member, room(name))
	w.mu.Lock()
	w.away[name] = true
	w.mu.Unlock()
}

// pumped answers a hub with goroutines that step, and what ends those.
func pumped(o hub.Options) (h *hub.Hub, stop func()) {
	wake, over := make(chan struct{}, 2), make(chan struct{})
	o.Wake = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	h = hub.New(o)
	var pumps sync.WaitGroup
	for range 2 {
		pumps.Go(func() {
			for {
				for h.Step() {
				}
				select {
				case <-wake:
				case <-over:
					return
				}
			}
		})
	}
	return h, func() {
		close(over)
		pumps.Wait()
	}
}

// witnesses adds members of all kinds.
func witnesses(t *testing.T, h *hub.Hub, names []string) (all []*witness) {
	for i, kind := range []string{"steady", "latest", "closing", "restless"} {
		for j := range 8 {
			w := &witness{t: t, off: map[string]uint64{}, away: map[string]bool{}, last: map[string]int{}, complete: kind == "steady"}
			w.Member = &hub.Member{ID: fmt.Sprint(kind, j), Sink: w}
			all = append(all, w)
			h.Add(w.Member)
			h.Enter(w.Member, hub.Address{}, hub.Latest) // of what is sent to everyone nothing may be missing
			for _, name := range names {
				h.Enter(w.Member, room(name), []hub.Policy{hub.Resync, hub.Latest, hub.Close, hub.Resync}[i])
			}
		}
	}
	return all
}

// say is what one sender does. It answers the number of its last keyed message,
// which it sends to every room.
func say(h *hub.Hub, sender int, names []string, rooms map[string]*history) (last int) {
	rnd := rand.New(rand.NewPCG(uint64(sender), 7))
	own := 0
	keyedTo := func(at hub.Address) {
		h.Send(at, keyed(fmt.Sprintf("e.%s.%d.%d", at.Name, sender, last), fmt.Sprint(sender)), nil)
	}
	for range 1500 {
		at := rooms[names[rnd.IntN(3)]]
		switch rnd.IntN(4) {
		case 0, 1:
			at.publish(h)
		case 2:
			last++
			keyedTo(at.at)
		default:
			own++
			h.Send(hub.Address{}, message(fmt.Sprintf("d.%d.%d", sender, own)), nil)
		}
	}
	last++
	for _, at := range rooms {
		keyedTo(at.at)
	}
	return last
}

// calmDown lets all read until nobody is behind.
func calmDown(t *testing.T, h *hub.Hub, all []*witness, rooms map[string]*history) {
	for deadline := time.Now().Add(time.Minute); ; {
		again := false
		for _, w := range all {
			w.setBusy(h, false)
			again = w.recover(h, rooms) || again
		}
		for h.Step() {
			again = true
		}
		if !again {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
}
