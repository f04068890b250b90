package hub_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/internal/hub"
)

// stand answers the position of the nth recorded message, from 1; before it
// stands none.
func stand(n int) broker.Position {
	if n == 0 {
		return broker.Position{Epoch: "e"}
	}
	return broker.Position{Epoch: "e", Offset: uint64(n), Tag: uint64(n)}
}

// recorded is a message whose step is the nth.
func recorded(text string, n int) hub.Message {
	m := message(text)
	m.Step = &hub.Step{Before: stand(n - 1), At: stand(n)}
	return m
}

func keyed(text, key string) hub.Message {
	m := message(text)
	m.Key = key
	return m
}

// writable lets a busy reader read again.
func writable(h *hub.Hub, m *hub.Member, r *reader) {
	r.mu.Lock()
	r.busy, r.refused = false, false
	r.mu.Unlock()
	h.Writable(m)
}

func enter(t *testing.T, h *hub.Hub, m *hub.Member, at hub.Address, p hub.Policy) {
	t.Helper()
	if err := h.Enter(m, at, p); err != nil {
		t.Fatal(err)
	}
}

func TestWhoLagsIsToldWhereItStands(t *testing.T) {
	blue := room("blue")
	for _, c := range []struct {
		what string
		sent func(i int) hub.Message // from 1; the first is read, and the second taken in vain
		from broker.Position
	}{
		{"recorded messages", func(i int) hub.Message { return recorded("12345678", i) }, stand(1)},
		{"ephemeral ones after a recorded one", func(i int) hub.Message {
			if i == 1 {
				return recorded("12345678", 1)
			}
			return message("12345678")
		}, stand(1)},
		{"ephemeral ones before a recorded one", func(i int) hub.Message {
			if i == 3 {
				return recorded("12345678", 7)
			}
			return message("12345678")
		}, stand(6)},
		{"ephemeral ones alone", func(int) hub.Message { return message("12345678") }, broker.Position{}},
	} {
		t.Run(c.what, func(t *testing.T) {
			h := hub.New(hub.Options{LogBytes: 30})
			slow, r := add(h, "1", "")
			other, otherGot := add(h, "2", "")
			enter(t, h, slow, blue, hub.Resync)
			enter(t, h, other, blue, hub.Resync)
			send := func(i int) {
				h.Send(blue, c.sent(i), nil)
				settle(h)
			}
			send(1)
			r.busy = true
			for i := 2; i < 6; i++ {
				send(i)
			}
			if want := []lag{{blue, c.from}}; !slices.Equal(r.lagged, want) || r.overflow != 0 {
				t.Fatalf("told %v, want %v; overflow %d", r.lagged, want, r.overflow)
			}
			if !h.In(slow, blue) || h.Count(blue) != 2 || len(h.Members(blue)) != 2 || h.Pinned() != 0 {
				t.Errorf("in %v, count %d, members %d, pinned %d", h.In(slow, blue), h.Count(blue), len(h.Members(blue)), h.Pinned())
			}
			writable(h, slow, r)
			send(6)
			want(t, r, "12345678")
			if !h.Resume(slow, blue) {
				t.Error("it could not be resumed")
			}
			send(7)
			want(t, r, "12345678", "12345678")
			if len(otherGot.said()) != 7 || len(otherGot.lagged) != 0 {
				t.Errorf("the other got %v, lagged %v", otherGot.said(), otherGot.lagged)
			}
			if s := h.Stats(); s.Lagged != 1 || s.Compacted != 0 || s.Pinned != 0 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestWhoLaggedMayLeave(t *testing.T) {
	blue := room("blue")
	for what, leave := range map[string]func(*hub.Hub, *hub.Member) bool{
		"exit":   func(h *hub.Hub, m *hub.Member) bool { return h.Exit(m, blue) },
		"forget": func(h *hub.Hub, m *hub.Member) bool { return h.Forget(m, blue) },
		"remove": func(h *hub.Hub, m *hub.Member) bool { return h.Remove(m) },
	} {
		t.Run(what, func(t *testing.T) {
			h := hub.New(hub.Options{LogBytes: 10})
			m, r := add(h, "1", "")
			enter(t, h, m, blue, hub.Resync)
			r.busy = true
			for range 3 {
				h.Send(blue, message("12345678"), nil)
				settle(h)
			}
			if len(r.lagged) != 1 || !leave(h, m) {
				t.Fatalf("lagged %v", r.lagged)
			}
			if h.Resume(m, blue) || h.In(m, blue) || h.Count(blue) != 0 || h.Pinned() != 0 {
				t.Errorf("it is still there: count %d, pinned %d", h.Count(blue), h.Pinned())
			}
		})
	}
}

func TestOnlyTheNewestOfEachKeyIsKept(t *testing.T) {
	blue := room("blue")
	h := hub.New(hub.Options{LogBytes: 40, MemberBytes: 1000})
	m, r := add(h, "1", "")
	_, other := add(h, "2", "")
	enter(t, h, m, blue, hub.Latest)
	r.busy = true
	h.Send(hub.Address{}, message("first"), nil)
	for i := range 20 {
		h.Send(blue, keyed(fmt.Sprint("a", i), "a"), nil)
		h.Send(blue, keyed(fmt.Sprint("b", i), "b"), m)
		if i%10 == 0 {
			h.Send(blue, message(fmt.Sprint("plain", i)), nil)
			h.SendTo(m, fmt.Appendf(nil, "own%d\n", i))
			h.Send(blue, keyed(fmt.Sprint("c", i), "c"), nil)
		}
		settle(h)
	}
	if h.Stats().Compacted < 2 {
		t.Fatalf("compacted %d times", h.Stats().Compacted)
	}
	writable(h, m, r)
	settle(h)
	got := r.said()
	if len(got) > 12 {
		t.Errorf("got all of %v", got)
	}
	for _, s := range [][]string{{"first", "plain0", "own0", "plain10", "own10", "c10", "a19"}} {
		i := 0
		for _, g := range got {
			if i < len(s) && g == s[i] {
				i++
			}
		}
		if i < len(s) {
			t.Errorf("got %v, without %v in this order", got, s)
		}
	}
	if slices.Contains(got, "a0") || slices.ContainsFunc(got, func(s string) bool { return s[0] == 'b' }) {
		t.Errorf("got %v", got)
	}
	want(t, other, "first")
	if h.Pinned() != 0 || r.overflow != 0 {
		t.Errorf("pinned %d, overflow %d", h.Pinned(), r.overflow)
	}
}

func TestWhoseNewestIsTooMuchMustGo(t *testing.T) {
	h := hub.New(hub.Options{LogBytes: 40, MemberBytes: 100})
	m, r := add(h, "1", "")
	enter(t, h, m, room("blue"), hub.Latest)
	r.busy = true
	for range 30 {
		h.Send(room("blue"), message("12345678"), nil) // without a key
		settle(h)
	}
	if r.overflow != 1 || h.Pinned() != 0 {
		t.Errorf("overflow %d, pinned %d", r.overflow, h.Pinned())
	}
	if h.Resume(m, room("blue")) {
		t.Error("resumed though it must go")
	}
}

func TestThePolicyOfTheLastEnterCounts(t *testing.T) {
	h := hub.New(hub.Options{LogBytes: 10})
	m, r := add(h, "1", "")
	enter(t, h, m, hub.Address{}, hub.Latest)
	enter(t, h, m, hub.Address{}, hub.Resync)
	r.busy = true
	for range 3 {
		h.Send(hub.Address{}, message("12345678"), nil)
		settle(h)
	}
	if len(r.lagged) != 1 || h.Stats().Compacted != 0 || h.Count(hub.Address{}) != 1 {
		t.Errorf("lagged %v, compacted %d, count %d", r.lagged, h.Stats().Compacted, h.Count(hub.Address{}))
	}
}

func TestWhatIsForgottenIsNotPushed(t *testing.T) {
	blue := room("blue")
	h := hub.New(hub.Options{LogBytes: 20})
	m, r := add(h, "1", "")
	r.busy = true
	for _, p := range []hub.Policy{hub.Close, hub.Latest, hub.Resync} {
		enter(t, h, m, blue, p)
		for range 3 {
			h.Send(blue, message("1234567"), nil)
			settle(h)
			if p != hub.Latest {
				break
			}
		}
		if p != hub.Resync {
			h.Exit(m, blue)
		}
	}
	h.SendTo(m, []byte("own\n"))
	if !h.Forget(m, blue) || h.Forget(m, blue) {
		t.Error("Forget does not tell whether it was in")
	}
	writable(h, m, r)
	settle(h)
	want(t, r, "own")
	if h.Pinned() != 0 {
		t.Errorf("pinned %d", h.Pinned())
	}
}

func TestWhoComesAndGoesIsBoundedToo(t *testing.T) {
	h := hub.New(hub.Options{MemberBytes: 100})
	m, r := add(h, "1", "")
	r.busy = true
	for range 20 {
		enter(t, h, m, room("blue"), hub.Close)
		h.Send(room("blue"), message("12345678"), nil)
		settle(h)
		h.Exit(m, room("blue"))
	}
	if r.overflow != 1 || h.Pinned() != 0 {
		t.Errorf("overflow %d, pinned %d", r.overflow, h.Pinned())
	}
}

func TestAddressesOfAMember(t *testing.T) {
	h := hub.New(hub.Options{})
	m, _ := add(h, "1", "ann")
	watch := hub.Address{Kind: hub.Watch, Name: "blue"}
	enter(t, h, m, room("blue"), hub.Resync)
	enter(t, h, m, watch, hub.Latest)
	if got, want := h.Addresses(m), []hub.Address{{}, {Kind: hub.User, Name: "ann"}, room("blue"), watch}; !slices.Equal(got, want) {
		t.Errorf("at %v, want %v", got, want)
	}
	if got := h.Rooms(m); !slices.Equal(got, []string{"blue"}) {
		t.Errorf("in rooms %v", got)
	}
	if _, users, rooms := h.Size(); users != 1 || rooms != 1 {
		t.Errorf("%d users, %d rooms", users, rooms)
	}
	if got := h.Names(hub.Watch); !slices.Equal(got, []string{"blue"}) {
		t.Errorf("watched: %v", got)
	}
}
