package hub_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// reader is a Sink that keeps what it is pushed. While it is busy it refuses.
type reader struct {
	mu       sync.Mutex
	got      []byte
	pushes   int
	busy     bool
	refused  bool
	overflow int
	lagged   []lag
}

// lag is one call of Lagged.
type lag struct {
	at   hub.Address
	from broker.Position
}

func (r *reader) Push(pieces [][]byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.busy {
		r.refused = true
		return false
	}
	for _, p := range pieces {
		r.got = append(r.got, p...)
	}
	r.pushes++
	return true
}

func (r *reader) Overflow() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.overflow++
}

func (r *reader) Lagged(at hub.Address, from broker.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lagged = append(r.lagged, lag{at, from})
}

// said answers the messages that came, each of which ends with a line break.
func (r *reader) said() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Fields(string(r.got))
}

func room(name string) hub.Address { return hub.Address{Kind: hub.Room, Name: name} }

func message(text string) hub.Message { return hub.Message{Frame: []byte(text + "\n")} }

func add(h *hub.Hub, id, user string) (*hub.Member, *reader) {
	r := new(reader)
	m := &hub.Member{ID: id, User: user, Sink: r}
	h.Add(m)
	return m, r
}

func settle(h *hub.Hub) {
	for h.Step() {
	}
}

func want(t *testing.T, r *reader, texts ...string) {
	t.Helper()
	if got := r.said(); !slices.Equal(got, texts) {
		t.Errorf("got %v, want %v", got, texts)
	}
}

func TestEachAddressReachesItsMembers(t *testing.T) {
	h := hub.New(hub.Options{})
	ann, annGot := add(h, "1", "ann")
	_, phone := add(h, "2", "ann")
	bob, bobGot := add(h, "3", "")
	if err := h.Enter(bob, room("blue"), hub.Close); err != nil {
		t.Fatal(err)
	}
	h.Send(hub.Address{Kind: hub.Everyone}, message("all"), nil)
	h.Send(hub.Address{Kind: hub.User, Name: "ann"}, message("ann"), nil)
	h.Send(room("blue"), message("blue"), nil)
	h.Send(room("ann"), message("nobody"), nil)
	h.Send(hub.Address{Kind: hub.Everyone}, message("others"), ann)
	h.SendTo(bob, []byte("bob\n"))
	settle(h)
	want(t, annGot, "all", "ann")
	want(t, phone, "all", "ann", "others")
	want(t, bobGot, "all", "blue", "others", "bob")
	if h.Pinned() != 0 {
		t.Errorf("%d bytes are still pinned", h.Pinned())
	}
}

func TestWhatPilesUpLeavesWithOnePush(t *testing.T) {
	h := hub.New(hub.Options{})
	_, r := add(h, "1", "")
	for i := range 16 {
		h.Send(hub.Address{}, message(fmt.Sprint(i)), nil)
	}
	settle(h)
	if len(r.said()) != 16 || r.pushes != 1 {
		t.Errorf("%d messages came with %d pushes", len(r.said()), r.pushes)
	}
}

func TestABusySinkCostsNobodyElse(t *testing.T) {
	h := hub.New(hub.Options{LogBytes: 50})
	slow, slowGot := add(h, "1", "")
	_, other := add(h, "2", "")
	slowGot.busy = true
	h.Send(hub.Address{}, message("one"), nil)
	settle(h)
	h.Send(hub.Address{}, message("two"), nil)
	settle(h)
	want(t, other, "one", "two")
	want(t, slowGot)
	slowGot.busy = false
	h.Writable(slow)
	settle(h)
	want(t, slowGot, "one", "two")
	if slowGot.overflow != 0 || h.Pinned() != 0 {
		t.Errorf("overflow %d, pinned %d", slowGot.overflow, h.Pinned())
	}
}

func TestWhoIsTooFarBehindOverflowsOnce(t *testing.T) {
	h := hub.New(hub.Options{LogBytes: 50})
	slow, slowGot := add(h, "1", "")
	_, other := add(h, "2", "")
	slowGot.busy = true
	for i := range 40 {
		h.Send(hub.Address{}, message(fmt.Sprint(i)), nil)
		settle(h)
	}
	if slowGot.overflow != 1 || other.overflow != 0 {
		t.Fatalf("overflows: slow %d, other %d", slowGot.overflow, other.overflow)
	}
	if len(other.said()) != 40 {
		t.Errorf("the other got %v", other.said())
	}
	h.Remove(slow)
	if h.Pinned() != 0 {
		t.Errorf("%d bytes are pinned for nobody", h.Pinned())
	}
}

func TestDirectSendsAreBounded(t *testing.T) {
	h := hub.New(hub.Options{MemberBytes: 10})
	m, r := add(h, "1", "")
	r.busy = true
	h.SendTo(m, []byte("12345678\n"))
	settle(h)
	if err := h.SendTo(m, []byte("12345678\n")); err != hub.ErrSlow || r.overflow != 1 {
		t.Errorf("%v, overflow %d", err, r.overflow)
	}
	if err := h.SendTo(m, []byte("1\n")); err != hub.ErrSlow || r.overflow != 1 {
		t.Errorf("again: %v, overflow %d", err, r.overflow)
	}
	h.Remove(m)
	if err := h.SendTo(m, nil); err != hub.ErrGone {
		t.Errorf("after removal: %v", err)
	}
}

func TestARenditionIsMadeOnceForAllItsMembers(t *testing.T) {
	h := hub.New(hub.Options{})
	var readers []*reader
	for i := range 6 {
		r := new(reader)
		readers = append(readers, r)
		h.Add(&hub.Member{ID: fmt.Sprint(i), Sink: r, Rendition: hub.Rendition(i % 3)})
	}
	made := map[hub.Rendition]int{}
	h.Send(hub.Address{}, hub.Message{Frame: []byte("x\n"), Render: func(r hub.Rendition, b []byte) []byte {
		made[r]++
		if r == 2 {
			return nil // not worth it
		}
		return bytes.ToUpper(b)
	}}, nil)
	settle(h)
	for i, r := range readers {
		want(t, r, []string{"x", "X", "x"}[i%3])
	}
	if made[1] != 1 || made[2] != 1 || made[0] != 0 {
		t.Errorf("made %v", made)
	}
}

func TestFinishAnswersEverythingInOrder(t *testing.T) {
	h := hub.New(hub.Options{})
	m, r := add(h, "1", "")
	r.busy = true
	h.Enter(m, room("blue"), hub.Close)
	h.Send(room("blue"), message("a"), nil)
	h.SendTo(m, []byte("b\n"))
	h.Send(hub.Address{}, message("c"), nil)
	settle(h)
	h.Send(room("blue"), message("d"), nil)
	if got := string(bytes.Join(h.Finish(m), nil)); got != "a\nb\nc\nd\n" {
		t.Errorf("got %q", got)
	}
	if h.Remove(m); h.Pinned() != 0 {
		t.Errorf("%d bytes are still pinned", h.Pinned())
	}
}

func TestWhatWasSentBeforeALeaveStillArrives(t *testing.T) {
	h := hub.New(hub.Options{})
	m, r := add(h, "1", "")
	other, _ := add(h, "2", "")
	h.Enter(m, room("blue"), hub.Close)
	h.Enter(other, room("blue"), hub.Close)
	h.SendTo(m, []byte("a\n"))
	h.Send(room("blue"), message("b"), nil)
	h.SendTo(m, []byte("c\n"))
	h.Exit(m, room("blue"))
	h.Send(room("blue"), message("d"), nil)
	settle(h)
	want(t, r, "a", "b", "c")
	if h.Pinned() != 0 {
		t.Errorf("%d bytes are still pinned", h.Pinned())
	}
}

func TestRoomsVanishWithTheirLastMember(t *testing.T) {
	h := hub.New(hub.Options{})
	a, _ := add(h, "1", "ann")
	h.Enter(a, room("blue"), hub.Close)
	h.Enter(a, room("blue"), hub.Close)
	if n := h.Count(room("blue")); n != 1 {
		t.Errorf("joined twice: counted %d", n)
	}
	if members, users, rooms := h.Size(); members != 1 || users != 1 || rooms != 1 {
		t.Errorf("size %d %d %d", members, users, rooms)
	}
	if !h.Exit(a, room("blue")) || h.Exit(a, room("blue")) {
		t.Error("Leave does not tell whether it was in")
	}
	if !h.Remove(a) || h.Remove(a) {
		t.Error("Remove does not tell whether it was here")
	}
	if members, users, rooms := h.Size(); members != 0 || users != 0 || rooms != 0 {
		t.Errorf("size %d %d %d", members, users, rooms)
	}
	if err := h.Enter(a, room("blue"), hub.Close); err != hub.ErrGone {
		t.Errorf("joining after removal: %v", err)
	}
}

// TestConcurrentSendersKeepTheirOrder runs everything at once: each sender's
// messages must reach each member whole, once and in order, whatever the
// addresses they went to.
func TestConcurrentSendersKeepTheirOrder(t *testing.T) {
	h, stopPumps := pumped(hub.Options{LogBytes: 1 << 30, MemberBytes: 1 << 30})
	var senders sync.WaitGroup
	const members, perSender, sendersN = 40, 300, 4
	var readers []*reader
	var list []*hub.Member
	for i := range members {
		m, r := add(h, fmt.Sprint(i), "ann")
		h.Enter(m, room("blue"), hub.Close)
		readers, list = append(readers, r), append(list, m)
	}
	for s := range sendersN {
		senders.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(s), 7))
			for i := range perSender {
				text := fmt.Sprintf("%d.%d", s, i)
				switch rnd.IntN(4) {
				case 0:
					h.Send(hub.Address{}, message(text), nil)
				case 1:
					h.Send(hub.Address{Kind: hub.User, Name: "ann"}, message(text), nil)
				case 2:
					h.Send(room("blue"), message(text), nil)
				default:
					for _, m := range list {
						h.SendTo(m, []byte(text+"\n"))
					}
				}
				if m := rnd.IntN(members); rnd.IntN(3) == 0 {
					r := readers[m]
					r.mu.Lock()
					r.busy = !r.busy
					call := !r.busy && r.refused
					r.refused = r.refused && !call
					r.mu.Unlock()
					if call {
						h.Writable(list[m])
					}
				}
			}
		})
	}
	senders.Wait()
	for i, r := range readers {
		r.mu.Lock()
		r.busy = false
		r.mu.Unlock()
		h.Writable(list[i])
	}
	for h.Pinned() != 0 { // the pumps are at it
		h.Step()
	}
	stopPumps()
	for i, r := range readers {
		next := [sendersN]int{}
		for _, text := range r.said() {
			var s, n int
			fmt.Sscanf(text, "%d.%d", &s, &n)
			if n != next[s] {
				t.Fatalf("member %d got %s when %d.%d was next", i, text, s, next[s])
			}
			next[s]++
		}
		if next != [sendersN]int{perSender, perSender, perSender, perSender} {
			t.Fatalf("member %d got %v of each sender", i, next)
		}
	}
}

type nowhere struct{}

func (nowhere) Push([][]byte) bool { return true }
func (nowhere) Overflow()          {}

func (nowhere) Lagged(hub.Address, broker.Position) {}

func TestTheNodeKeepsItsMemory(t *testing.T) {
	h := hub.New(hub.Options{NodeBytes: 100})
	var slow []*reader
	for i := range 10 {
		m, r := add(h, fmt.Sprint(i), "")
		h.Enter(m, room(fmt.Sprint("room", i)), hub.Close)
		r.busy = true
		slow = append(slow, r)
	}
	for i := range 10 {
		for range 3 { // far below the bound of one address
			h.Send(room(fmt.Sprint("room", i)), message("12345678"), nil)
			settle(h)
		}
	}
	gone := 0
	for _, r := range slow {
		gone += r.overflow
	}
	if gone == 0 || gone == 10 {
		t.Errorf("%d of 10 had to go", gone)
	}
}
