package actor

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/finch-go/finch/chaos/internal/story"
	"github.com/finch-go/finch/protocol"
)

// nextPublish draws the time to the next publish.
func (a *Actor) nextPublish() time.Duration {
	return a.between(0, 2*a.world.Pause+1)
}

// waitMost is how many publishes wait in one room; beyond it no more are begun.
const waitMost = 30

// compose begins to publish a message in one of the rooms.
func (a *Actor) compose() {
	room := a.world.choose(a.rng, func(room string) bool { return a.places[room] != nil })
	p := a.places[room]
	if p == nil || len(p.queue) >= waitMost {
		return
	}
	key := a.name + "-" + strconv.FormatUint(a.rng.Uint64(), 36) + strconv.FormatUint(a.rng.Uint64(), 36)
	data, _ := json.Marshal(map[string]string{"text": "salaam from " + a.name, "key": key})
	pub := &publish{key: key, data: data, noEcho: a.rng.IntN(5) == 0}
	p.queue = append(p.queue, pub)
	a.world.Story.Published(story.Publication{Key: key, Room: room, Publisher: a.name, Session: a.session, NoEcho: pub.noEcho, Begun: a.world.Now()})
	a.publishAll(time.Now())
}

// publishAll tries what waits in rooms where the actor is: the earliest first,
// and none before another that has failed.
func (a *Actor) publishAll(now time.Time) {
	for _, room := range a.sortedRooms() {
		p := a.places[room]
		if !p.in || a.sock == nil {
			continue
		}
		for i, pub := range p.queue {
			if i >= inFlight || !pub.asked && now.Before(pub.until) {
				break
			}
			if pub.asked && now.After(pub.until) {
				a.retryFrom(p, i, 0) // no answer: those behind it are asked again too
			}
			if !pub.asked && !a.try(p, pub) {
				return
			}
		}
	}
}

// try sends a publish; false if the connection is gone.
func (a *Actor) try(p *place, pub *publish) bool {
	if pub.tries++; pub.tries > 1 {
		a.world.Story.Retried()
	}
	pub.asked, pub.until = true, time.Now().Add(tryLimit)
	a.nextID++
	id := protocol.IntID(a.nextID)
	a.pending[id] = func(e protocol.Envelope) { a.published(p, pub, e) }
	if a.sock.say(&protocol.Envelope{Path: protocol.PathPublish, ID: id, Data: pub.body(p.room)}) != nil {
		a.giveUp()
		return false
	}
	return true
}

// published takes the answer of finch.publish.
func (a *Actor) published(p *place, pub *publish, e protocol.Envelope) {
	at := -1
	for i, other := range p.queue {
		if other == pub {
			at = i
		}
	}
	if at < 0 {
		if e.Error == nil { // an earlier try was answered too
			a.acknowledged(p, pub, e)
		}
		return
	}
	switch {
	case e.Error == nil:
		p.queue = append(p.queue[:at:at], p.queue[at+1:]...)
		a.acknowledged(p, pub, e)
	case e.Status >= 500, e.Error.Code == protocol.RefusalNotInRoom:
		a.retryFrom(p, at, a.between(20*time.Millisecond, 200*time.Millisecond))
	default:
		a.broken("refused", p.room, fmt.Sprintf("publish of %q was answered %d %s", pub.key, e.Status, e.Error.Code))
		p.queue = append(p.queue[:at:at], p.queue[at+1:]...)
	}
}

func (a *Actor) acknowledged(p *place, pub *publish, e protocol.Envelope) {
	var answer struct {
		Position  string
		Duplicate bool
	}
	if err := json.Unmarshal(e.Data, &answer); err != nil {
		a.broken("bad word", p.room, fmt.Sprintf("publish was answered %s", e.Data))
		return
	}
	a.world.Story.Acknowledged(a.world.Now(), pub.key, answer.Position, answer.Duplicate)
}

// retryFrom plans that a publish and all behind it are tried again, in order.
func (a *Actor) retryFrom(p *place, at int, after time.Duration) {
	for _, pub := range p.queue[at:] {
		pub.asked, pub.until = false, time.Now().Add(after)
	}
}
