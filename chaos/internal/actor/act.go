package actor

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/finch-go/finch/chaos/internal/story"
	"github.com/finch-go/finch/protocol"
)

// choose draws a room by its weight from those that are fine.
func (w *World) choose(rng *rand.Rand, fine func(room string) bool) string {
	var sum float64
	for i, room := range w.Rooms {
		if fine(room) {
			sum += w.Weights[i]
		}
	}
	at := rng.Float64() * sum
	for i, room := range w.Rooms {
		if !fine(room) {
			continue
		}
		if at -= w.Weights[i]; at < 0 {
			return room
		}
	}
	return ""
}

// something does one of the things that clients do.
func (a *Actor) something(ctx context.Context) {
	switch n := a.rng.IntN(100); {
	case n < 35: // the network changes
		a.giveUp()
		a.pause(ctx, a.between(0, 2500*time.Millisecond))
	case n < 60: // it comes back before anybody has noticed that it was gone
		a.connect(a.otherNode())
	case n < 80:
		a.move()
	case n < 88: // the page is closed, and opened again
		a.begin(ctx, true)
	case n < 93: // it is thrown away, and another one takes its place
		a.begin(ctx, false)
	case n < 97: // it is behind a tunnel
		a.giveUp()
		a.pause(ctx, a.between(2*time.Second, 6*time.Second))
	default:
		for _, room := range a.sortedRooms() { // joins again where it is
			if p := a.places[room]; p.in {
				a.saw(story.Event{Room: room, Kind: story.Away})
				p.in = false
				a.join(p)
				return
			}
		}
	}
}

// move leaves a room and joins another.
func (a *Actor) move() {
	if len(a.places) > 2 {
		rooms := a.sortedRooms()
		p := a.places[rooms[a.rng.IntN(len(rooms))]]
		if len(p.queue) == 0 && p.in && !p.club {
			delete(a.places, p.room)
			a.saw(story.Event{Room: p.room, Kind: story.Left})
			a.request(protocol.PathLeave, map[string]string{"room": p.room}, func(protocol.Envelope) {})
			if a.sock == nil {
				return
			}
		}
	}
	room := a.world.Rooms[a.rng.IntN(len(a.world.Rooms))]
	if len(a.places) < 5 && a.places[room] == nil {
		p := a.newPlace(room)
		a.places[room] = p
		a.join(p)
	}
}

// begin ends the session, with a word or without, and begins another. With
// publishes whose outcome is not known it stays: their keys are the session's.
func (a *Actor) begin(ctx context.Context, goodbye bool) {
	for _, p := range a.places {
		if len(p.queue) > 0 {
			return
		}
	}
	sock := a.sock
	a.sock = nil
	if goodbye {
		sock.goodbye()
	} else {
		sock.drop()
	}
	a.away()
	for _, room := range a.sortedRooms() {
		a.saw(story.Event{Room: room, Kind: story.Left})
		a.places[room] = a.newPlace(room)
	}
	a.ticket = ""
	a.session++
	a.mu.Lock()
	a.view.Name = ""
	a.mu.Unlock()
	a.pause(ctx, a.between(0, time.Second))
}

// share is how often a room is chosen, compared with the one that is chosen most.
func (w *World) share(room string) float64 {
	var most, of float64
	for i, other := range w.Rooms {
		most = max(most, w.Weights[i])
		if other == room {
			of = w.Weights[i]
		}
	}
	return of / most
}
