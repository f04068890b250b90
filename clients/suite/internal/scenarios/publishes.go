package scenarios

import (
	"fmt"
	"time"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/protocol"
)

// publishing is what publish needs.
var publishing = []string{"rooms", "publish"}

func publishIn(c *stage.Client, data any) (ref int) {
	return c.Ask("publish", stage.Command{"room": room, "path": "post", "data": data})
}

// inRoom is a client that is open and in the room at k3v.12.a.
func inRoom(s *stage.Stage, o stage.Options) (*stage.Client, *stage.Conn) {
	c := s.Client(o)
	conn := c.Open("")
	c.Join(conn, room, "k3v.12.a", nil)
	return c, conn
}

// comesBack accepts the client again and lets it into the room.
func comesBack(s *stage.Stage, c *stage.Client, position string) *stage.Conn {
	conn := c.Accept()
	stands(s, conn.Greet(""), position)
	joinedAgain(conn, position, 0)
	return conn
}

// published checks the results of publishes, each recorded once, at positions
// that follow each other from k3v.13.a.
func published(s *stage.Stage, c *stage.Client, refs ...int) {
	for i, ref := range refs {
		r := c.Result(ref, "published")
		want := fmt.Sprintf("k3v.%d.a", 13+i)
		s.Check(r.Position == want, "publish %d should be told to be at %s: %v", i+1, want, r)
	}
	s.Check(len(c.Seen("published")) == len(refs), "%d publishes have %d results: %v", len(refs), len(c.Seen("published")), c.Seen("published"))
}

var publishes = []stage.Scenario{
	{
		Name:   "publish",
		Checks: "finch.publish names room, path, data and a key of at least 128 random bits; the answer has the position.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			keys := map[string]bool{}
			for i := range 10 {
				ref := publishIn(c, i)
				m, p := takePublish(s, conn)
				s.Check(string(p.Data) == fmt.Sprint(i) && (p.Echo == nil || *p.Echo), "%d was published as %v", i, m)
				s.Check(len(p.Key) >= 21 && !keys[p.Key], "a key has at least 128 random bits, and is no other's: %v", m)
				keys[p.Key] = true
				position := fmt.Sprintf("k3v.%d.a", 13+i)
				own := protocol.Envelope{Path: "post", Status: 200, Room: room, Position: position, From: "me", Data: p.Data}
				text := string(protocol.Append(nil, &own))
				text = text[:len(text)-1] + fmt.Sprintf(`,"key":%q}`, p.Key)
				if i%2 == 0 { // the message itself may come before or after the answer
					conn.SendText(text)
				}
				conn.Answer(m, fmt.Sprintf(`{"position":%q}`, position))
				if i%2 == 1 {
					conn.SendText(text)
				}
				r := c.Result(ref, "published")
				s.Check(r.Position == position && !r.Duplicate, "the publish should be told to be at %s: %v", position, r)
				r = posted(s, c, position, fmt.Sprint(i))
				s.Check(r.Key == p.Key && r.From == "me", "one's own message bears the key and who published it: %v", r)
			}
		},
	},
	{
		Name:   "publish-with-a-key-and-without-echo",
		Checks: "A key of the user's own is taken as it is; echo false asks for finch.position in place of the message. The answer moves no position.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			ref := c.Ask("publish", stage.Command{"room": room, "path": "post", "data": "سلام", "key": "order 7 سارا", "echo": false})
			m, p := takePublish(s, conn)
			s.Check(p.Key == "order 7 سارا" && p.Echo != nil && !*p.Echo, "key and echo were not taken as they were given: %v", m)
			conn.Answer(m, `{"position":"k3v.14.a"}`)
			c.Result(ref, "published")
			conn.Post(room, "k3v.13.b", "13") // of somebody else, on its way meanwhile
			posted(s, c, "k3v.13.b", "13")
			conn.Event("finch.position", `{"room":"chat:7","position":"k3v.14.a"}`)
			conn.Post(room, "k3v.14.a", `"its own, nevertheless"`)
			conn.Post(room, "k3v.15.a", "15")
			posted(s, c, "k3v.15.a", "15")
		},
	},
	{
		Name:   "publish-refused",
		Checks: "What is refused for good fails with the server's code, and holds up nothing.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			refusals := []struct {
				status int
				code   string
			}{{403, "forbidden"}, {403, "not_in_room"}, {409, "key_reused"}, {413, "too_large"}, {400, "bad_data"}, {429, "app_says_slow_down"}}
			refs := make([]int, len(refusals)+1)
			for i := range refs {
				refs[i] = publishIn(c, i)
			}
			for _, refusal := range refusals {
				m, _ := takePublish(s, conn)
				conn.Fail(m, refusal.status, refusal.code)
			}
			m, p := takePublish(s, conn)
			s.Check(string(p.Data) == fmt.Sprint(len(refusals)), "what was refused for good was tried again: %v", m)
			conn.Answer(m, `{"position":"k3v.13.a"}`)
			for i, refusal := range refusals {
				r := c.Fails(refs[i], refusal.code)
				s.Check(r.Status == refusal.status, "the status was %d: %v", refusal.status, r)
			}
			published(s, c, refs[len(refusals)])
		},
	},
	{
		Name:   "publish-and-the-connection-breaks",
		Checks: "A publish whose answer did not come is tried again on the next connection, with the same key: exactly one result.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			for _, recorded := range []bool{true, false} {
				c, conn := inRoom(s, nil)
				h := newShelf(s, nil)
				ref := publishIn(c, "once")
				m, p := takePublish(s, conn)
				if recorded { // and the answer is lost
					h.keys[p.Key] = string(p.Data)
					h.places[p.Key] = 1
					h.order = []string{string(p.Data)}
				}
				conn.Drop()
				conn = c.Accept()
				stands(s, conn.Greet(""), "k3v.12.a")
				conn.Idle(60 * time.Millisecond) // not in the room yet: it would be refused
				joinedAgain(conn, "k3v.12.a", 0)
				conn.Answer(m, `{"position":"k3v.99.a"}`) // the old question's, on the wrong connection
				h.serve(conn, `"once"`)
				s.Check(len(h.keys) == 1, "it was published under %d keys", len(h.keys))
				r := c.Result(ref, "published")
				if r.Position != "k3v.99.a" { // ids may go on counting, or begin anew
					s.Check(r.Duplicate == recorded, "duplicate should be %v: %v", recorded, r)
				}
				conn.Idle(60 * time.Millisecond)
				s.Check(len(c.Seen("published", "error")) == 1, "one publish has these results: %v", c.Seen("published", "error"))
			}
		},
	},
	{
		Name:   "publishes-stay-in-order-over-a-break",
		Checks: "Unacknowledged publishes of one client to one room stay in order.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			h := newShelf(s, nil)
			refs := []int{publishIn(c, 1), publishIn(c, 2)}
			m, p := takePublish(s, conn)
			h.keys[p.Key], h.places[p.Key], h.order = "1", 1, []string{"1"}
			_ = m // its answer is lost
			conn.Drop()
			c.State("waiting")
			refs = append(refs, publishIn(c, 3), publishIn(c, 4))
			conn = comesBack(s, c, "k3v.12.a")
			h.serve(conn, "1", "2", "3", "4")
			published(s, c, refs...)
		},
	},
	{
		Name:   "publishes-stay-in-order-over-failures",
		Checks: "503 held_back: an earlier publish failed and has not been retried; to keep the order, retry from that one on.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			h := newShelf(s, func(data string, try int) string {
				switch {
				case data == "2" && try < 2:
					return "unavailable"
				case data == "4" && try == 0:
					return "unknown_outcome"
				case data == "6" && try == 0:
					return "internal"
				}
				return ""
			})
			var refs []int
			for i := range 6 {
				refs = append(refs, publishIn(c, i+1))
			}
			h.serve(conn, "1", "2", "3", "4", "5", "6")
			published(s, c, refs...)
			for _, r := range c.Seen("published") {
				s.Check(r.Duplicate == (r.Ref == refs[3]), "the one whose outcome was unknown, and no other, had been recorded: %v", r)
			}
		},
	},
	{
		Name:   "publishes-of-rooms-are-apart",
		Checks: "A publish that is tried again holds up those of its own room alone.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, stage.Options{"publish_retry": 100})
			c.Join(conn, "news", "x.1.a", nil)
			first := publishIn(c, 1)
			m, _ := takePublish(s, conn)
			conn.Fail(m, 503, "unavailable")
			second := c.Ask("publish", stage.Command{"room": "news", "path": "post", "data": 2})
			for done := 0; done < 2; {
				m := conn.Expect("finch.publish")
				conn.Answer(m, `{"position":"k3v.13.a"}`)
				done++
			}
			c.Result(second, "published")
			c.Result(first, "published")
		},
	},
	{
		Name:   "outcome-unknown",
		Checks: "A client retries for a while and then says that the outcome is unknown.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, stage.Options{"publish_timeout": 500, "request_timeout": 100})
			begun := time.Now()
			ref := publishIn(c, 1)
			m, first := takePublish(s, conn)
			conn.Fail(m, 503, "unavailable")
			m, second := takePublish(s, conn)
			conn.Fail(m, 503, "unknown_outcome")
			_, third := takePublish(s, conn) // is not answered, and neither are those that may follow
			s.Check(first.Key == second.Key && first.Key == third.Key, "a retry has another key: %v, %v, %v", first, second, third)
			c.Fails(ref, "outcome_unknown")
			s.Check(time.Since(begun) >= 490*time.Millisecond, "it gave up after %v", time.Since(begun))
			next := publishIn(c, 2)
			for { // the retries of the first that were on their way
				m, p := takePublish(s, conn)
				if string(p.Data) == "2" {
					conn.Answer(m, `{"position":"k3v.13.a"}`)
					break
				}
			}
			c.Result(next, "published")
		},
	},
	{
		Name:   "a-publish-that-never-left",
		Checks: "A publish that was never sent has no unknown outcome.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"publish_timeout": 100})
			ref := publishIn(c, 1)
			c.Connect()
			c.Knock() // and is kept waiting
			c.Fails(ref, "not_sent")
			d := s.Client(nil)
			ref = publishIn(d, 1)
			d.Connect()
			d.Knock()
			d.Do("close", nil)
			d.Fails(ref, "closed", "not_sent")
		},
	},
	{
		Name:   "publish-in-a-room-that-is-gone",
		Checks: "A client that is no longer in the room does not wait for it: not_in_room.",
		Needs:  publishing,
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			ref := publishIn(c, 1)
			takePublish(s, conn)
			conn.Drop()
			conn = c.Accept()
			stands(s, conn.Greet(""), "k3v.12.a")
			conn.Event("finch.left", `{"room":"chat:7","error":{"code":"forbidden","message":"no more"}}`)
			c.Next("left")
			refuse := make(chan struct{})
			go func() { // either it asks, and is refused, or it knows by itself
				defer close(refuse)
				ctx, cancel := s.Within(time.Second)
				defer cancel()
				if m, err := conn.Next(ctx); err == nil {
					conn.Fail(m, 403, "not_in_room")
				}
			}()
			c.Fails(ref, "not_in_room", "outcome_unknown", "forbidden")
			conn.Drop()
			<-refuse
		},
	},
}
