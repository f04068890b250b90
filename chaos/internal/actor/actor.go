package actor

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch/chaos/internal/server"
	"github.com/finch-go/finch/chaos/internal/story"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

const (
	tick       = 40 * time.Millisecond
	helloLimit = 5 * time.Second  // for the answer of finch.hello
	silence    = 2 * time.Second  // after which the actor pings
	deadAfter  = 6 * time.Second  // of silence
	roomLimit  = 25 * time.Second // for a word of a room
	tryLimit   = 8 * time.Second  // for the answer of a publish
	inFlight   = 3                // publishes in one room at once
)

// An Actor is one client that speaks the wire itself. Run is its whole life; the
// other methods may be called by any goroutine.
type Actor struct {
	world *World
	name  string // in the story
	user  string // empty: anonymous
	rng   *rand.Rand

	session int
	ticket  string
	places  map[string]*place
	sock    *socket
	node    int // of the last connection

	nextID  int64
	pending map[protocol.ID]func(protocol.Envelope)
	heard   time.Time
	pinged  bool
	slot    time.Time // when finch.drain wants it to come back

	act, write, ask time.Time // when it does something next

	mu   sync.Mutex // guards view
	view View
}

// A View is how an actor stands, for others to look at.
type View struct {
	Name  string // under which others see it
	Node  int    // -1: not connected
	Since time.Duration
	Rooms map[string]*RoomView // where it is in
}

// A RoomView is what an actor knows of who is in a room.
type RoomView struct {
	Asked   map[string]int // devices by name, as last asked
	At      time.Duration  // when
	Watched map[string]int // as the changes say; nil: it does not watch
}

// New makes an actor.
func New(w *World, name, user string, seed uint64, rooms []string) *Actor {
	a := &Actor{world: w, name: name, user: user, rng: rand.New(rand.NewPCG(seed, 0x5eed)), session: 1, places: map[string]*place{}, node: -1}
	for _, room := range rooms {
		a.places[room] = a.newPlace(room)
	}
	a.view = View{Node: -1}
	return a
}

func (a *Actor) newPlace(room string) *place {
	return &place{room: room, club: strings.HasPrefix(room, server.Club), watches: a.rng.IntN(3) == 0}
}

// View answers how it stands.
func (a *Actor) View() View {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.view
}

// Run lives until ctx ends, and then says goodbye.
func (a *Actor) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if a.sock == nil && !a.connect(a.otherNode()) {
			a.pause(ctx, a.between(20*time.Millisecond, 300*time.Millisecond))
			continue
		}
		a.live(ctx)
	}
	if a.sock != nil {
		a.sock.goodbye()
		a.sock = nil
	}
	a.show()
}

func (a *Actor) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(a.rng.Int64N(int64(hi-lo)))
}

func (a *Actor) pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// otherNode chooses a node, rather not the one where it was.
func (a *Actor) otherNode() int {
	n := a.rng.IntN(len(a.world.Nodes))
	if n == a.node {
		n = a.rng.IntN(len(a.world.Nodes))
	}
	return n
}

// connect opens a connection and says hello. What it had before is left alone
// until then, and is not read any more.
func (a *Actor) connect(node int) bool {
	old := a.sock
	token := a.user
	s, err := dial(a.world.Nodes[node], node, token, a.rng)
	if err != nil {
		return false
	}
	a.world.Connects.Add(1)
	a.away()
	a.sock, a.node, a.slot = s, node, time.Time{}
	a.pending, a.heard, a.pinged = map[protocol.ID]func(protocol.Envelope){}, time.Now(), false
	hello := struct {
		Version int               `json:"version"`
		Ticket  string            `json:"ticket,omitempty"`
		Rooms   map[string]string `json:"rooms"`
	}{1, a.ticket, map[string]string{}}
	for room, p := range a.places {
		if p.club && !p.enrolled { // the server is asked for it, afterwards
			p.shown, p.waiting, p.in, p.again, p.members = "", false, false, time.Now(), nil
			continue
		}
		hello.Rooms[room] = p.position
		p.shown, p.waiting, p.in, p.again = p.position, true, false, time.Now().Add(roomLimit)
		p.members = nil
		for _, pub := range p.queue {
			pub.asked, pub.until = false, time.Time{}
		}
	}
	answered := false
	a.request(protocol.PathHello, hello, func(e protocol.Envelope) { answered = a.greeted(e, hello.Ticket != "") })
	limit := time.NewTimer(helloLimit)
	defer limit.Stop()
	for !answered && a.sock != nil {
		select {
		case e, ok := <-s.in:
			if !ok {
				a.lost()
				break
			}
			a.take(e)
		case <-limit.C:
			a.giveUp()
		}
	}
	if old != nil {
		old.drop()
	}
	return a.sock != nil
}

// greeted takes the answer of finch.hello.
func (a *Actor) greeted(e protocol.Envelope, hadTicket bool) bool {
	var answer struct {
		Resumed bool
		Reason  string
		Ticket  string
		From    string
	}
	if e.Error != nil || json.Unmarshal(e.Data, &answer) != nil {
		a.broken("no greeting", "", fmt.Sprintf("hello was answered %v %s", e.Error, e.Data))
		a.giveUp()
		return false
	}
	if hadTicket && !answer.Resumed {
		a.broken("session lost", "", "the ticket was not honoured: "+answer.Reason)
	}
	a.ticket = answer.Ticket
	a.mu.Lock()
	before := a.view.Name
	a.view.Name, a.view.Node, a.view.Since = answer.From, a.node, a.world.Now()
	a.mu.Unlock()
	if hadTicket && answer.Resumed && before != "" && before != answer.From {
		a.broken("session lost", "", fmt.Sprintf("it was %q and now is %q", before, answer.From))
	}
	return true
}

func (a *Actor) broken(kind, room, text string) {
	a.world.Story.Violate(story.Violation{At: a.world.Now(), Kind: kind, Room: room, Client: a.name, Text: text})
}

// saw tells the story.
func (a *Actor) saw(e story.Event) {
	e.At, e.Client, e.Session, e.Node = a.world.Now(), a.name, a.session, a.node
	a.world.Story.Saw(e)
}

// away tells the story that the connection is gone.
func (a *Actor) away() {
	for room, p := range a.places {
		if p.in {
			a.saw(story.Event{Room: room, Kind: story.Away})
		}
		p.in = false
	}
	a.mu.Lock()
	a.view.Node = -1
	a.mu.Unlock()
}

// giveUp ends the connection without a word.
func (a *Actor) giveUp() {
	if a.sock != nil {
		a.sock.drop()
	}
	a.sock = nil
	a.away()
}

// lost looks how the connection ended.
func (a *Actor) lost() {
	end := a.sock.end
	if end.code == protocol.CloseReplaced {
		a.world.Replaced.Add(1)
	}
	if end.code != protocol.CloseAbnormal && protocol.ActionOf(end.code) == protocol.ActionStop && end.code != protocol.CloseReplaced {
		a.broken("closed", "", fmt.Sprintf("closed with %d, after which a client stops", end.code))
	}
	a.giveUp()
}

// live goes on until the connection is gone.
func (a *Actor) live(ctx context.Context) {
	now := time.Now()
	a.act = now.Add(a.between(300*time.Millisecond, 4*time.Second))
	if a.write.Before(now) {
		a.write = now.Add(a.nextPublish())
	}
	a.ask = now.Add(a.between(0, time.Second))
	t := time.NewTicker(tick)
	defer t.Stop()
	for a.sock != nil && ctx.Err() == nil {
		select {
		case e, ok := <-a.sock.in:
			if !ok {
				a.lost()
				a.pause(ctx, a.delay())
				return
			}
			a.take(e)
		case b := <-a.sock.pong:
			a.heard = time.Now()
			a.sock.write(frame.Pong, b)
		case now := <-t.C:
			a.turn(ctx, now)
		}
	}
}

// delay is how long to wait before connecting again.
func (a *Actor) delay() time.Duration {
	if wait := time.Until(a.slot); wait > 0 {
		return wait
	}
	return a.between(0, 250*time.Millisecond)
}

// turn does what is due.
func (a *Actor) turn(ctx context.Context, now time.Time) {
	quiet := now.Sub(a.heard)
	switch {
	case quiet > deadAfter:
		a.giveUp()
		return
	case quiet > silence && !a.pinged:
		a.pinged = true
		a.request(protocol.PathPing, nil, func(protocol.Envelope) {})
	}
	a.nag(now)
	if a.sock == nil {
		return
	}
	a.publishAll(now)
	if now.After(a.ask) && a.world.settles() {
		a.ask = now.Add(2 * time.Second)
		a.askAll()
	}
	if a.world.settles() {
		a.show()
		return
	}
	if now.After(a.write) {
		a.write = now.Add(a.nextPublish())
		a.compose()
	}
	if a.sock != nil && now.After(a.act) {
		a.act = now.Add(a.between(300*time.Millisecond, 4*time.Second))
		a.something(ctx)
	}
}

// nag joins rooms that it should be in and is not.
func (a *Actor) nag(now time.Time) {
	for _, room := range a.sortedRooms() {
		p := a.places[room]
		switch {
		case p.in || now.Before(p.again):
		case p.waiting: // neither let in nor refused
			a.broken("no word", room, fmt.Sprintf("nothing was said of the room for %v", roomLimit))
			a.giveUp()
			return
		default:
			a.join(p)
		}
		if a.sock == nil {
			return
		}
	}
}

func (a *Actor) sortedRooms() []string {
	rooms := make([]string, 0, len(a.places))
	for room := range a.places {
		rooms = append(rooms, room)
	}
	slices.Sort(rooms) // so that draws do not depend on the order of a map
	return rooms
}

// request asks, and calls then with the answer, if one comes.
func (a *Actor) request(path string, data any, then func(protocol.Envelope)) {
	b, err := protocol.Marshal(data)
	if err != nil {
		panic(err)
	}
	a.nextID++
	id := protocol.IntID(a.nextID)
	a.pending[id] = then
	if err := a.sock.say(&protocol.Envelope{Path: path, ID: id, Data: b}); err != nil {
		a.giveUp()
	}
}

// show brings the view up to date.
func (a *Actor) show() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sock == nil {
		a.view.Node = -1
	}
	rooms := map[string]*RoomView{}
	for room, p := range a.places {
		if p.in {
			rooms[room] = &RoomView{Asked: devices(p.asked), At: p.askedAt, Watched: devices(p.members)}
		}
	}
	a.view.Rooms = rooms
}

func devices(members map[string]member) map[string]int {
	if members == nil {
		return nil
	}
	m := make(map[string]int, len(members))
	for id, one := range members {
		m[id] = one.Devices
	}
	return m
}
