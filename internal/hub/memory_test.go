//go:build !race

package hub_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/finch-go/finch/internal/hub"
)

// heap answers how many bytes live on the heap.
func heap() int64 {
	var s runtime.MemStats
	for range 2 { // what a pool has dropped lives for one more
		runtime.GC()
	}
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// crowd answers a hub with members that are at no address of their own, and as
// many names.
func crowd(n int) (h *hub.Hub, members []*hub.Member, names []string) {
	h = hub.New(hub.Options{})
	for i := range n {
		m := &hub.Member{ID: fmt.Sprint(i), Sink: nowhere{}}
		h.Add(m)
		members, names = append(members, m), append(names, fmt.Sprint("room", i))
	}
	return h, members, names
}

func TestAQuietAddressIsSmall(t *testing.T) {
	const count, most = 100_000, 300
	for _, c := range []struct {
		what string
		kind hub.Kind
		then func(*hub.Hub, hub.Address) // once all are there
	}{
		{"a room", hub.Room, nil},
		{"a user", hub.User, nil},
		{"a room that was spoken in", hub.Room, func(h *hub.Hub, at hub.Address) {
			for range 20 {
				h.Send(at, message("hello, room"), nil)
			}
			settle(h)
		}},
		{"a room that was recorded", hub.Room, func(h *hub.Hub, at hub.Address) {
			h.Send(at, recorded("hello, room", 1), nil)
			settle(h)
		}},
	} {
		t.Run(c.what, func(t *testing.T) {
			h, members, names := crowd(count)
			before := heap()
			for i, m := range members {
				if err := h.Enter(m, hub.Address{Kind: c.kind, Name: names[i]}, hub.Resync); err != nil {
					t.Fatal(err)
				}
			}
			if c.then != nil {
				for _, name := range names {
					c.then(h, hub.Address{Kind: c.kind, Name: name})
				}
			}
			each := (heap() - before) / count
			t.Logf("%s with one member costs %d bytes beside its name", c.what, each)
			if each > most {
				t.Errorf("more than %d", most)
			}
			runtime.KeepAlive(h)
			runtime.KeepAlive(members)
			runtime.KeepAlive(names)
		})
	}
}

func TestAMembersPlaceIsSmall(t *testing.T) {
	const count, rooms, most = 10_000, 10, 100
	h, members, names := crowd(count)
	for _, m := range members[:1] { // so that the rooms are there
		for _, name := range names[:rooms] {
			h.Enter(m, room(name), hub.Resync)
		}
	}
	before := heap()
	for _, m := range members[1:] {
		for _, name := range names[:rooms] {
			h.Enter(m, room(name), hub.Resync)
		}
	}
	each := (heap() - before) / (count * rooms)
	t.Logf("one more member of a room costs %d bytes", each)
	if each > most {
		t.Errorf("more than %d", most)
	}
	runtime.KeepAlive(h)
	runtime.KeepAlive(members)
}
