package hub_test

import (
	"fmt"
	"testing"

	"github.com/finch-go/finch/internal/hub"
)

// deaf is a Sink that takes nothing, ever.
type deaf struct{ nowhere }

func (deaf) Push([][]byte) bool { return false }

// people adds members to a room.
func people(h *hub.Hub, at hub.Address, p hub.Policy, n int, sink hub.Sink) (list []*hub.Member) {
	for range n {
		members, _, _ := h.Size()
		m := &hub.Member{ID: fmt.Sprint(members), Sink: sink}
		h.Add(m)
		h.Enter(m, at, p)
		list = append(list, m)
	}
	return list
}

// perDelivery reports what one message to one member costs.
func perDelivery(b *testing.B, deliveries int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*deliveries), "ns/delivery")
}

var payload = hub.Message{Frame: make([]byte, 128)}

func BenchmarkFanOut(b *testing.B) {
	for _, inFlight := range []int{1, 16} {
		for _, members := range []int{1, 10, 1000, 15000} {
			b.Run(fmt.Sprintf("inflight=%d/members=%d", inFlight, members), func(b *testing.B) {
				h := hub.New(hub.Options{})
				people(h, room("blue"), hub.Resync, members, nowhere{})
				b.ReportAllocs()
				for b.Loop() {
					for range inFlight {
						h.Send(room("blue"), payload, nil)
					}
					settle(h)
				}
				perDelivery(b, members*inFlight)
			})
		}
	}
}

func BenchmarkRooms(b *testing.B) {
	for _, rooms := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprintf("rooms=%d", rooms), func(b *testing.B) {
			const members = 10
			h := hub.New(hub.Options{})
			var all []hub.Address
			for i := range rooms {
				all = append(all, room(fmt.Sprint(i)))
				people(h, all[i], hub.Resync, members, nowhere{})
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, at := range all {
					h.Send(at, payload, nil)
				}
				settle(h)
			}
			perDelivery(b, members*rooms)
		})
	}
}

func BenchmarkExcept(b *testing.B) {
	const members = 1000
	h := hub.New(hub.Options{})
	list := people(h, room("blue"), hub.Resync, members, nowhere{})
	b.ReportAllocs()
	for b.Loop() {
		for i := range 16 {
			h.Send(room("blue"), payload, list[i*60])
		}
		settle(h)
	}
	perDelivery(b, members*16)
}

// BenchmarkDeaf counts only the members that take what they get; the others
// take nothing.
func BenchmarkDeaf(b *testing.B) {
	for _, c := range []struct{ members, deaf int }{{500, 0}, {500, 500}, {10, 0}, {10, 1000}} {
		for _, p := range []hub.Policy{hub.Close, hub.Resync, hub.Latest} {
			b.Run(fmt.Sprintf("policy=%d/members=%d/deaf=%d", p, c.members, c.deaf), func(b *testing.B) {
				h := hub.New(hub.Options{})
				people(h, room("blue"), p, c.deaf, deaf{})
				people(h, room("blue"), p, c.members, nowhere{})
				msg := payload
				msg.Key = "k"
				b.ReportAllocs()
				for b.Loop() {
					for range 16 {
						h.Send(room("blue"), msg, nil)
					}
					settle(h)
				}
				perDelivery(b, c.members*16)
			})
		}
	}
}

// BenchmarkCatchUp lets members read again that were all behind.
func BenchmarkCatchUp(b *testing.B) {
	const members, behind = 1000, 50
	h := hub.New(hub.Options{})
	var list []*hub.Member
	var readers []*gated
	for range members {
		g := new(gated)
		readers, list = append(readers, g), append(list, people(h, room("blue"), hub.Resync, 1, g)...)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, g := range readers {
			g.shut = true
		}
		for range behind {
			h.Send(room("blue"), payload, nil)
		}
		settle(h)
		for i, g := range readers {
			g.shut = false
			h.Writable(list[i])
		}
		settle(h)
	}
	perDelivery(b, members*behind)
}

// gated is a Sink that takes nothing while it is shut.
type gated struct {
	nowhere
	shut bool
}

func (g *gated) Push([][]byte) bool { return !g.shut }
