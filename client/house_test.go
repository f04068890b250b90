package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

// A house is a server with one room, which keeps every promise of the wire and
// breaks whatever the wire lets it break: connections at any step, answers,
// publishes. A seed makes its choices.
type house struct {
	mu      sync.Mutex // guards everything below
	random  *rand.Rand
	faults  float64 // the chance of a fault at each step; 0: none any more
	epoch   int
	log     []record
	base    int                       // the offset of the first record that is still kept, minus 1
	places  map[string]int            // offset by user and key
	behind  map[*scripted.Conn]string // the key that all others of a connection wait for
	members map[*scripted.Conn]bool
	broken  map[*scripted.Conn]bool // what had arrived on them is not handled any more
	drops   int
	resets  int
}

type record struct {
	user, key, data string
}

func newHouse(seed uint64, faults float64) *house {
	return &house{
		random: rand.New(rand.NewPCG(seed, 7)), faults: faults,
		places: map[string]int{}, behind: map[*scripted.Conn]string{}, members: map[*scripted.Conn]bool{}, broken: map[*scripted.Conn]bool{},
	}
}

// serve takes clients until ctx ends.
func (h *house) serve(ctx context.Context, door *scripted.Door) {
	for {
		c, err := door.Accept(ctx)
		if err != nil {
			return
		}
		go h.client(ctx, c)
	}
}

// fault rolls the dice. It is called with mu held.
func (h *house) fault(times float64) bool { return h.random.Float64() < h.faults*times }

func (h *house) head() string { return fmt.Sprintf("e%d.%d.a", h.epoch, len(h.log)) }

// drop breaks a connection. It is called with mu held.
func (h *house) drop(c *scripted.Conn) {
	h.drops++
	h.broken[c] = true
	delete(h.members, c)
	switch h.random.IntN(4) {
	case 0:
		c.Close([]int{1001, 1006, 1011, 1012, 1013, 4408}[h.random.IntN(6)], "a fault")
	case 1:
		c.Write([]byte{0x81, 0x7e}) // half a frame
		c.Drop()
	default:
		c.Drop()
	}
}

// client serves one connection.
func (h *house) client(ctx context.Context, c *scripted.Conn) {
	for {
		m, err := c.Next(ctx)
		h.mu.Lock()
		if err != nil || h.broken[c] {
			delete(h.members, c)
			delete(h.behind, c)
			h.mu.Unlock()
			return
		}
		if h.fault(1) {
			h.drop(c)
			h.mu.Unlock()
			return
		}
		switch m.Path {
		case protocol.PathHello:
			h.hello(c, m)
		case protocol.PathJoin:
			h.join(c, m)
		case protocol.PathPublish:
			h.publish(c, m)
		default:
			c.Answer(m, "null")
		}
		h.mu.Unlock()
	}
}

func (h *house) hello(c *scripted.Conn, m scripted.Message) {
	var data struct{ Rooms map[string]string }
	json.Unmarshal(m.Data, &data)
	c.Answer(m, `{"version":1,"limits":{"message_bytes":65536}}`)
	position, ok := data.Rooms["chat:7"]
	if !ok {
		return
	}
	if h.fault(1) {
		h.drop(c)
		return
	}
	for range h.random.IntN(3) { // live ones that come too early
		if n := len(h.log); n > h.base {
			h.tell(c, n)
		}
	}
	say := func(path, fields string) {
		c.Send(protocol.Envelope{Path: path, Status: 200, Data: json.RawMessage(`{"room":"chat:7",` + fields + `}`)})
	}
	h.recover(c, position, func(recovered bool, missed int, at string) {
		switch {
		case position == "":
			say("finch.joined", fmt.Sprintf(`"position":%q`, at))
		case recovered:
			say("finch.joined", fmt.Sprintf(`"position":%q,"recovered":true,"missed":%d`, at, missed))
		default:
			say("finch.reset", fmt.Sprintf(`"position":%q,"reason":"trimmed"`, at))
		}
	})
}

func (h *house) join(c *scripted.Conn, m scripted.Message) {
	var data struct{ Position string }
	json.Unmarshal(m.Data, &data)
	if h.fault(2) {
		c.Fail(m, 503, "unavailable")
		return
	}
	h.recover(c, data.Position, func(recovered bool, missed int, at string) {
		if data.Position == "" {
			c.Answer(m, fmt.Sprintf(`{"room":"chat:7","position":%q}`, at))
			return
		}
		c.Answer(m, fmt.Sprintf(`{"room":"chat:7","position":%q,"recovered":%v,"missed":%d,"reason":"trimmed"}`, at, recovered, missed))
	})
}

// recover lets a client in, and sends it what it missed behind what say says.
func (h *house) recover(c *scripted.Conn, position string, say func(recovered bool, missed int, at string)) {
	var epoch, offset int
	fmt.Sscanf(position, "e%d.%d.a", &epoch, &offset)
	switch {
	case position == "":
		say(false, 0, h.head())
	case epoch != h.epoch || offset < h.base || h.fault(0.2):
		h.resets++
		say(false, 0, h.head())
	default:
		say(true, len(h.log)-offset, position)
		for i := offset + 1; i <= len(h.log); i++ {
			h.tell(c, i)
		}
	}
	h.members[c] = true
}

// tell sends the message at an offset, sometimes twice.
func (h *house) tell(c *scripted.Conn, offset int) {
	r := h.log[offset-1]
	text := fmt.Sprintf(`{"path":"post","status":200,"room":"chat:7","position":"e%d.%d.a","from":%q,"key":%q,"data":%s}`, h.epoch, offset, r.user, r.key, r.data)
	c.SendText(text)
	if h.fault(2) {
		c.SendText(text)
	}
}

func (h *house) publish(c *scripted.Conn, m scripted.Message) {
	user := c.Handshake.Token()
	var p struct {
		Key  string
		Data json.RawMessage
	}
	json.Unmarshal(m.Data, &p)
	behind := h.behind[c]
	switch {
	case !h.members[c]:
		c.Fail(m, 403, "not_in_room")
		return
	case behind != "" && behind != p.Key:
		c.Fail(m, 503, "held_back")
		return
	}
	delete(h.behind, c)
	at, duplicate := h.places[user+" "+p.Key]
	failing := h.fault(3)
	if failing && (duplicate || h.random.IntN(2) == 0) {
		h.behind[c] = p.Key
		c.Fail(m, 503, "unavailable")
		return
	}
	if !duplicate {
		h.log = append(h.log, record{user, p.Key, string(p.Data)})
		at = len(h.log)
		h.places[user+" "+p.Key] = at
		for member := range h.members {
			if h.fault(0.5) {
				h.drop(member)
				continue
			}
			h.tell(member, at)
		}
	}
	switch {
	case failing:
		h.behind[c] = p.Key
		c.Fail(m, 503, "unknown_outcome")
	case h.fault(1):
		h.drop(c)
	default:
		c.Answer(m, fmt.Sprintf(`{"position":"e%d.%d.a","duplicate":%v}`, h.epoch, at, duplicate))
	}
}

// calm ends the faults, and returns what was recorded.
func (h *house) calm() []record {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = 0
	return h.log
}

// nap is a random time of about d.
func (h *house) nap(d time.Duration) {
	h.mu.Lock()
	n := time.Duration(h.random.Int64N(int64(2 * d)))
	h.mu.Unlock()
	time.Sleep(n)
}
