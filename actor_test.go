package finch_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/finchtest"
	"github.com/finch-go/finch/internal/frame"
	"github.com/finch-go/finch/protocol"
)

// An actor is a client that keeps to the rules of the protocol and checks that
// the server does: of every recorded message that it gets it knows what has to
// come before. Its fields are guarded by the stage's mu.
type actor struct {
	stage *stage
	name  string
	user  string
	hello bool // it has sessions; else it only joins

	node    *playhouse
	link    *link // nil: away
	ghosts  []*link
	greeted bool   // hello is answered on this link
	client  string // the socket's id
	ticket  string
	life    int // counts sessions
	places  map[string]*standpoint
	ever    map[string]bool // rooms that it ever wanted
	lastID  int64
	answers map[string]func(*protocol.Envelope)
	heard   map[string]int // of each sender's ephemeral messages, the last
	letter  *letter        // what it publishes with a key now
	got     int
	resets  map[string]int
	slow    bool // it fell behind, ever
}

// standpoint is where an actor stands at an address.
type standpoint struct {
	at      broker.Position
	blank   bool // the room had no position when it was entered
	awaited bool // it is being resumed: recorded messages come again
	joining bool // the answer to a first join has not come
	leaving bool
	from    broker.Position // that it asked with last
	again   bool            // it is to ask again
	ousted  bool            // it was taken out while it waited to hear of the room
	asking  bool            // a finch.join is not answered
}

// letter is a publish with a key that is repeated until its outcome is known.
type letter struct {
	room, id string
	body     map[string]any
	waiting  bool // for an answer
	since    time.Time
	echo     bool
}

// link is one connection of an actor.
type link struct {
	nc      net.Conn
	writing sync.Mutex
	reading chan struct{} // closed while the actor reads; guarded by the stage's mu
}

// session names the actor's session of now.
func (a *actor) session() string { return fmt.Sprintf("%s/%d", a.name, a.life) }

func (a *actor) note(format string, args ...any) {
	a.stage.note("%s "+format, append([]any{a.name}, args...)...)
}

func (a *actor) fail(format string, args ...any) {
	a.stage.fault("%s "+format, append([]any{a.name}, args...)...)
}

// connect opens a connection to a node; the one of before, if any, stays open
// and is not read any more.
func (a *actor) connect(n *playhouse) {
	r := finchtest.NewRequest("ws://app.test/ws")
	r = r.WithContext(finch.IdentityContext(r.Context(), finch.Identity{User: a.user}))
	mine, theirs := net.Pipe()
	w := &pipeWriter{httptest.NewRecorder(), theirs}
	l := &link{nc: mine, reading: make(chan struct{})}
	close(l.reading)
	a.stage.mu.Lock()
	if a.link != nil {
		a.ghosts = append(a.ghosts, a.link)
	}
	a.note("connects to %s", n.name)
	a.node, a.link, a.greeted, a.client = n, l, false, ""
	a.answers = map[string]func(*protocol.Envelope){}
	if a.letter != nil {
		a.letter.waiting = false
	}
	for at, s := range a.places {
		s.asking = false
		if s.awaited, s.again = a.hello && !s.at.IsZero(), false; s.leaving || s.joining {
			delete(a.places, at)
		}
	}
	if !a.hello {
		a.begin()
		for _, at := range []string{protocol.ToUser, protocol.ToEveryone} {
			delete(a.places, at) // it comes there anew, by itself
		}
	}
	a.stage.mu.Unlock()
	a.stage.running.Go(func() { a.read(l) })
	n.manager.ServeHTTP(w, r)
	if a.hello {
		a.sayHello(l)
	}
	a.stage.mu.Lock()
	var again []string
	for at := range a.places {
		if !a.hello && at[0] == '/' {
			again = append(again, at[1:])
		}
	}
	a.stage.mu.Unlock()
	for _, room := range again {
		a.join(room)
	}
}

// begin begins a session: what the actor left in its outbox is of the past,
// unless anybody of the same user may repeat it.
func (a *actor) begin() {
	a.life++
	if l := a.letter; l != nil && (a.user == "" || !l.echo) {
		a.letter = nil
	}
}

// sayHello says hello with all that the actor knows.
func (a *actor) sayHello(l *link) {
	a.stage.mu.Lock()
	data := map[string]any{"version": 1}
	rooms := map[string]string{}
	a.note("says hello")
	for at, s := range a.places {
		if s.leaving {
			continue
		}
		s.awaited, s.from = !s.at.IsZero(), s.at
		if at[0] == '/' {
			rooms[at[1:]] = s.at.String()
		} else if s.awaited {
			data[at] = s.at.String()
		}
	}
	data["rooms"] = rooms
	if a.ticket != "" {
		data["ticket"] = a.ticket
	}
	body := a.ask(protocol.PathHello, data, func(e *protocol.Envelope) {
		var g finchtest.Greeting
		if e.Error != nil || json.Unmarshal(e.Data, &g) != nil {
			a.fail("says hello and is answered %v", e.Error)
			return
		}
		a.note("is greeted: resumed %v %s", g.Resumed, g.Reason)
		a.ticket, a.client = g.Ticket, g.Client
		if !g.Resumed && !a.greeted {
			a.begin()
		}
		a.greeted = true
	})
	a.stage.mu.Unlock()
	a.write(l, body)
}

// ask makes a request. Called with mu held.
func (a *actor) ask(path string, data any, then func(*protocol.Envelope)) []byte {
	a.lastID++
	id := protocol.IntID(a.lastID)
	a.answers[id.String()] = then
	raw, err := protocol.Marshal(data)
	if err != nil {
		panic(err)
	}
	return protocol.Append(nil, &protocol.Envelope{Path: path, ID: id, Data: raw})
}

func (a *actor) write(l *link, text []byte) {
	if l == nil {
		return
	}
	l.send(frame.AppendMasked(nil, frame.Text, text, maskKey))
}

func (l *link) send(b []byte) {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.nc.SetWriteDeadline(time.Now().Add(10 * time.Second))
	l.nc.Write(b)
}

// join joins a room from where the actor stands there.
func (a *actor) join(room string) {
	at := "/" + room
	a.stage.mu.Lock()
	if a.link == nil || a.hello && !a.greeted {
		a.stage.mu.Unlock()
		return
	}
	a.ever[room] = true
	s := a.places[at]
	switch {
	case s == nil:
		s = &standpoint{joining: true}
		a.places[at] = s
	case s.leaving || s.joining || s.awaited && !s.again:
		a.stage.mu.Unlock()
		return // it is on the way
	}
	l, from := a.link, s.at
	s.from = from
	s.again, s.asking = false, true
	in := map[string]any{"room": room}
	if !from.IsZero() {
		in["position"] = from.String()
		s.awaited = true
	}
	a.note("asks for %s from %v", room, from)
	body := a.ask(protocol.PathJoin, in, func(e *protocol.Envelope) {
		if a.places[at] != s {
			return
		}
		s.joining, s.asking = false, false
		if e.Error != nil {
			a.note("is not let into %s: %s", room, e.Error.Code)
			if s.again = !from.IsZero() && e.Error.Code == protocol.RefusalUnavailable; !s.again {
				delete(a.places, at)
			}
			return
		}
		a.entered(at, s, e.Data, !from.IsZero())
	})
	a.stage.mu.Unlock()
	a.write(l, body)
}

func (a *actor) leave(room string) {
	at := "/" + room
	a.stage.mu.Lock()
	l := a.link
	if l == nil {
		a.stage.mu.Unlock()
		return
	}
	s := a.places[at]
	if s != nil {
		s.leaving = true
	}
	a.note("leaves %s", room)
	body := a.ask(protocol.PathLeave, map[string]any{"room": room}, func(e *protocol.Envelope) {
		if now := a.places[at]; now == s || now != nil && !now.asking {
			delete(a.places, at)
		}
	})
	a.stage.mu.Unlock()
	a.write(l, body)
}

// publish publishes without a key, or begins a letter.
func (a *actor) publish(room string, keyed, echo bool, pad int) {
	w := a.stage
	w.mu.Lock()
	l, s := a.link, a.places["/"+room]
	if l == nil || s == nil || s.joining || s.leaving || a.hello && !a.greeted || keyed && a.letter != nil {
		w.mu.Unlock()
		return
	}
	w.said++
	said := saying{ID: fmt.Sprintf("%s-%d", a.name, w.said), Pad: strings.Repeat("x", pad)}
	body := map[string]any{"room": room, "path": "say"}
	if !echo {
		said.Skip = a.session()
		body["echo"] = false
	}
	body["data"] = said
	if keyed {
		body["key"] = said.ID
		a.letter = &letter{room: room, id: said.ID, body: body, since: time.Now(), echo: echo}
		w.mu.Unlock()
		a.post()
		return
	}
	a.note("publishes %s in %s", said.ID, room)
	text := a.ask(protocol.PathPublish, body, func(e *protocol.Envelope) { a.published(e, said.ID, room) })
	w.mu.Unlock()
	a.write(l, text)
}

// insist asks again for what was refused for a while.
func (a *actor) insist() {
	a.stage.mu.Lock()
	var again []string
	for at, s := range a.places {
		if s.again {
			again = append(again, at[1:])
		}
	}
	a.stage.mu.Unlock()
	for _, room := range again {
		a.join(room)
	}
	a.post()
}

// post sends the letter, if it is not on its way.
func (a *actor) post() {
	w := a.stage
	w.mu.Lock()
	m := a.letter
	if m != nil && time.Since(m.since) > time.Minute {
		m, a.letter = nil, nil // the outcome is unknown, and stays so
	}
	if m == nil || m.waiting || a.link == nil || a.hello && !a.greeted {
		w.mu.Unlock()
		return
	}
	s := a.places["/"+m.room]
	if s == nil || s.joining || s.leaving {
		w.mu.Unlock()
		return
	}
	m.waiting = true
	a.note("posts %s in %s", m.id, m.room)
	l := a.link
	text := a.ask(protocol.PathPublish, m.body, func(e *protocol.Envelope) {
		if a.letter != m {
			return
		}
		m.waiting = false
		if a.published(e, m.id, m.room) {
			a.letter = nil
		}
	})
	w.mu.Unlock()
	a.write(l, text)
}

// published takes the answer to a publish; false if it is to be repeated.
func (a *actor) published(e *protocol.Envelope, id, room string) bool {
	if e.Error != nil {
		a.note("cannot publish %s: %s", id, e.Error.Code)
		switch e.Error.Code {
		case protocol.RefusalUnavailable, protocol.RefusalUnknownOutcome:
			return false
		case protocol.RefusalNotInRoom, protocol.RefusalHeldBack, protocol.RefusalRoomNotDeclared:
			return true // it left meanwhile; it lets that one be
		}
		a.fail("publishes %s in %s and is answered %v", id, room, e.Error)
		return true
	}
	var out struct{ Position broker.Position }
	if err := json.Unmarshal(e.Data, &out); err != nil {
		a.fail("publishes %s and is answered %s: %v", id, e.Data, err)
		return true
	}
	if m := a.stage.witness.of(out.Position); m == nil || m.ID != id || m.room != "r:"+room {
		a.fail("published %s in %s and is told %v, where %v stands", id, room, out.Position, m)
	}
	a.stage.acked[id] = true
	return true
}

// drop ends the connection without a word.
func (a *actor) drop() {
	a.stage.mu.Lock()
	l := a.link
	a.link, a.greeted = nil, false
	if l != nil {
		a.note("drops")
	}
	a.stage.mu.Unlock()
	if l != nil {
		l.nc.Close()
	}
}

// bury ends the connections that another one has replaced.
func (a *actor) bury() {
	a.stage.mu.Lock()
	ghosts := a.ghosts
	a.ghosts = nil
	a.stage.mu.Unlock()
	for _, l := range ghosts {
		l.nc.Close()
	}
}

// stall stops reading or goes on.
func (a *actor) stall(stop bool) {
	a.stage.mu.Lock()
	defer a.stage.mu.Unlock()
	if a.link == nil {
		return
	}
	select {
	case <-a.link.reading:
		if stop {
			a.note("stops reading")
			a.link.reading = make(chan struct{})
		}
	default:
		if !stop {
			a.note("reads on")
			close(a.link.reading)
		}
	}
}

func (a *actor) stalled() bool {
	select {
	case <-a.link.reading:
		return false
	default:
		return true
	}
}

// read is the reader of one connection.
func (a *actor) read(l *link) {
	defer l.nc.Close()
	br := bufio.NewReaderSize(l.nc, 4096)
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		a.lost(l, "no handshake")
		return
	}
	var p frame.Parser
	cfg := &frame.Config{Client: true}
	buf := make([]byte, 4096)
	for {
		a.stage.mu.Lock()
		reading, mine := l.reading, a.link == l
		a.stage.mu.Unlock()
		if mine { // a ghost is read by nobody but the network
			select {
			case <-reading:
			case <-a.stage.over:
				a.lost(l, "over")
				return
			}
		}
		n, err := br.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			ev, used, perr := p.Next(cfg, b)
			b = b[used:]
			if perr != nil {
				a.stage.mu.Lock()
				a.fail("is sent a bad frame: %v", perr)
				a.stage.mu.Unlock()
				return
			}
			switch ev.Opcode {
			case frame.Ping:
				l.send(frame.AppendMasked(nil, frame.Pong, ev.Payload, maskKey))
			case frame.Close:
				a.lost(l, fmt.Sprint(ev.Code, " ", ev.Reason))
				l.send(frame.AppendMasked(nil, frame.Close, frame.AppendClosePayload(nil, ev.Code, ""), maskKey))
				return
			case frame.Text:
				a.take(l, append([]byte(nil), ev.Payload...))
			}
		}
		if err != nil {
			a.lost(l, err.Error())
			return
		}
	}
}

// lost notes that a connection has ended.
func (a *actor) lost(l *link, why string) {
	a.stage.mu.Lock()
	defer a.stage.mu.Unlock()
	if a.link == l {
		a.note("is cut off: %s", why)
		a.link, a.greeted = nil, false
	}
}
