package scenarios

import (
	"fmt"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/protocol"
)

// wasReset waits for the report of a reset and checks it.
func wasReset(s *stage.Stage, c *stage.Client, reason string) stage.Report {
	r := c.Next("reset", "message", "left")
	s.Check(r.Saw == "reset" && r.Reason == reason, "a reset for %s should have been reported: %v", reason, r)
	return r
}

var gaps = []stage.Scenario{
	{
		Name:   "lagged",
		Checks: "finch.lagged: recorded messages pause and go on in order from where you stopped.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			conn.Post(room, "k3v.13.a", "13")
			conn.Event("finch.lagged", `{"room":"chat:7"}`)
			conn.Post(room, "k3v.14.a", "14")
			posted(s, c, "k3v.13.a", "13")
			r := c.Next("message", "lagged")
			s.Check(r.Saw == "lagged" && r.Room == room, "finch.lagged should have been reported: %v", r)
			posted(s, c, "k3v.14.a", "14")
		},
	},
	{
		Name:   "reset",
		Checks: "finch.reset: what you have of this room is stale; adopt the position. Messages go on after it.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			for i, position := range []string{"k3v.900.b", "k3v.3.b", "k4.3.c", "k4.3.d", "k5.18446744073709551614.e"} {
				conn.Event("finch.reset", fmt.Sprintf(`{"room":"chat:7","position":%q,"reason":"reason%d"}`, position, i))
				r := wasReset(s, c, fmt.Sprintf("reason%d", i))
				s.Check(r.Room == room, "the reset was in %s: %v", room, r)
				conn.Drop()
				conn = c.Accept()
				stands(s, conn.Greet(""), position)
				joinedAgain(conn, position, 0)
				conn.Post(room, position, `"old"`)
			}
			conn.Post(room, "k5.18446744073709551615.e", "1")
			posted(s, c, "k5.18446744073709551615.e", "1")
		},
	},
	{
		Name:   "reset-instead-of-recovery",
		Checks: "finch.reset in place of finch.joined: you are in, but could not be caught up; before any later message.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			conn.Drop()
			conn = c.Accept()
			stands(s, conn.Greet(""), "k3v.12.a")
			conn.Post(room, "k4.8.b", "8") // too early: comes again or is before the reset
			conn.Event("finch.reset", `{"room":"chat:7","position":"k4.9.b","reason":"epoch"}`)
			conn.Post(room, "k4.10.b", "10")
			wasReset(s, c, "epoch")
			posted(s, c, "k4.10.b", "10")
		},
	},
	{
		Name:   "a-join-that-resets",
		Checks: "An answer with recovered false is a reset: adopt the position, refetch.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			conn.Event("finch.left", `{"room":"chat:7","error":{"code":"unavailable","message":"later"}}`)
			m := conn.Request("finch.join", `{"room":"chat:7","position":"k3v.12.a"}`) // unavailable: join again by yourself
			conn.Fail(m, 503, "unavailable")
			m = conn.Request("finch.join", `{"room":"chat:7","position":"k3v.12.a"}`)
			conn.Answer(m, `{"room":"chat:7","position":"k4.1.b","recovered":false,"reason":"trimmed"}`)
			conn.Post(room, "k4.2.b", "2")
			for {
				r := c.Next("left", "lagged", "reset", "message")
				if r.Saw == "left" || r.Saw == "lagged" { // may be told, or not: it is back already
					continue
				}
				s.Check(r.Saw == "reset" && r.Reason == "trimmed", "a reset should have been reported: %v", r)
				break
			}
			posted(s, c, "k4.2.b", "2")
		},
	},
	{
		Name:   "a-join-that-recovers",
		Checks: "Joining again with a position recovers from there: missed messages follow the answer.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			conn.Event("finch.left", `{"room":"chat:7","error":{"code":"unavailable","message":"later"}}`)
			m := conn.Request("finch.join", `{"room":"chat:7","position":"k3v.12.a"}`)
			conn.Answer(m, `{"room":"chat:7","position":"k3v.12.a","recovered":true,"missed":1}`)
			conn.Post(room, "k3v.13.a", "13")
			conn.Post(room, "k3v.14.a", "14")
			for i := 13; i < 15; i++ {
				r := c.Next("message", "reset")
				s.Check(r.Saw == "message" && r.Position == fmt.Sprintf("k3v.%d.a", i), "message %d should have come: %v", i, r)
			}
		},
	},
	{
		Name:   "left",
		Checks: "finch.left: the server took you out; do not join again by yourself unless error.code is unavailable.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			c.Join(conn, "news", "x.1.a", nil)
			conn.Event("finch.left", `{"room":"chat:7","error":{"code":"banned","message":"no"},"ticket":"newer"}`)
			r := c.Next("left")
			s.Check(r.Room == room && r.ErrorCode() == "banned", "the room was left, banned: %v", r)
			conn.Event("finch.left", `{"room":"news"}`)
			r = c.Next("left")
			s.Check(r.Room == "news" && r.ErrorCode() == "", "the room was left, without an error: %v", r)
			conn.Idle(away / 2)
			conn.Drop()
			h := c.Accept().Greet("")
			s.Check(len(h.Rooms) == 0 && h.Ticket == "newer", "finch.hello should have the ticket newer and no rooms: %+v", h)
			d := s.Client(nil)
			conn = d.Open("")
			d.Join(conn, room, "k3v.12.a", nil)
			conn.Drop()
			conn = d.Accept()
			stands(s, conn.Greet(""), "k3v.12.a")
			conn.Event("finch.left", `{"room":"chat:7","error":{"code":"forbidden","message":"no more"}}`)
			r = d.Next("left")
			s.Check(r.ErrorCode() == "forbidden", "the room was refused: %v", r)
			conn.Drop()
			h = d.Accept().Greet("")
			s.Check(len(h.Rooms) == 0, "finch.hello names a room that was refused: %+v", h)
		},
	},
	{
		Name:   "position",
		Checks: "finch.position: your place moved past a message that was not meant for you; adopt it.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.a", nil)
			conn.Event("finch.position", `{"room":"chat:7","position":"k3v.13.a"}`)
			conn.Event("finch.position", `{"room":"chat:7","position":"k3v.13.a"}`)
			conn.Event("finch.position", `{"room":"chat:7","position":"k3v.10.a"}`) // never back
			conn.Post(room, "k3v.13.a", "13")
			conn.Post(room, "k3v.14.a", "14")
			posted(s, c, "k3v.14.a", "14")
			conn.Event("finch.position", `{"room":"chat:7","position":"k3v.15.a"}`)
			c.Do("send", stage.Command{"path": "sync", "data": nil})
			conn.Expect("sync")
			conn.Event("finch.position", `{"room":"chat:7","position":"k3v.16.b"}`)
			ref := request(c, "sync", nil)
			conn.Answer(conn.Expect("sync"), "null") // behind it: so it was read
			c.Result(ref, "answer")
			conn.Drop()
			stands(s, c.Accept().Greet(""), "k3v.16.b")
		},
	},
	{
		Name:   "rooms-of-the-server",
		Checks: "Unasked finch.joined: the server joined you to a room; its ticket replaces yours, and finch.hello names the room.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("post", nil)
			conn := c.Open(`{"ticket":"one"}`)
			conn.Event("finch.joined", `{"room":"chat:7","position":"k3v.12.a","ticket":"two"}`)
			conn.Post(room, "k3v.12.a", `"old"`)
			conn.Post(room, "k3v.13.a", "13")
			posted(s, c, "k3v.13.a", "13")
			conn.Drop()
			conn = c.Accept()
			h := conn.Greet(`{"resumed":true,"ticket":"three"}`)
			s.Check(h.Ticket == "two", "finch.hello should have the ticket two: %+v", h)
			stands(s, h, "k3v.13.a")
			conn.Post(room, "k3v.15.a", `"too early"`)
			joinedAgain(conn, "k3v.13.a", 1)
			conn.Post(room, "k3v.14.a", "14")
			posted(s, c, "k3v.14.a", "14")
			conn.Event("finch.left", `{"room":"chat:7","ticket":"four"}`)
			ref := request(c, "sync", nil)
			conn.Answer(conn.Expect("sync"), "null")
			c.Result(ref, "answer")
			conn.Drop()
			h = c.Accept().Greet("")
			s.Check(len(h.Rooms) == 0 && h.Ticket == "four", "finch.hello should have the ticket four and no rooms: %+v", h)
		},
	},
	{
		Name:   "user-and-everyone",
		Checks: "Messages with to are recorded at the user's address or at everyone; finch.hello has the positions there.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("note", nil)
			conn := c.Open("")
			note := func(to, position, data string) {
				conn.SendText(fmt.Sprintf(`{"path":"note","status":200,"timestamp":1,"to":%q,"position":%q,"data":%s}`, to, position, data))
			}
			note("user", "u.1.a", "1")
			note("user", "u.1.a", `"twice"`)
			note("everyone", "e.7.a", "7")
			r := c.Message("note", "1")
			s.Check(r.To == "user" && r.Position == "u.1.a" && r.Room == "", "the message was to the user: %v", r)
			r = c.Message("note", "7")
			s.Check(r.To == "everyone", "the message was to everyone: %v", r)
			conn.Drop()
			conn = c.Accept()
			h := conn.Greet("")
			s.Check(h.User != nil && *h.User == "u.1.a" && h.Everyone != nil && *h.Everyone == "e.7.a", "finch.hello should have both positions: %+v", h)
			note("user", "u.3.a", `"too early"`)
			conn.Event("finch.joined", `{"to":"user","position":"u.1.a","recovered":true,"missed":1}`)
			conn.Event("finch.reset", `{"to":"everyone","position":"e2.1.a","reason":"epoch"}`)
			note("user", "u.2.a", "2")
			note("everyone", "e2.2.a", "8")
			c.Message("note", "2")
			c.Message("note", "8")
			conn.Drop()
			h = c.Accept().Greet("")
			s.Check(*h.User == "u.2.a" && *h.Everyone == "e2.2.a", "finch.hello should have both positions: %+v", h)
		},
	},
	{
		Name:   "a-client-without-recorded-messages",
		Checks: "user and everyone are in finch.hello only if the client has a position there.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("note", nil)
			conn := c.Open("")
			conn.Send(protocol.Envelope{Path: "note", Status: 200, Data: []byte("1")})
			c.Message("note", "1")
			conn.Drop()
			h := c.Accept().Greet("")
			s.Check(h.User == nil && h.Everyone == nil && len(h.Rooms) == 0, "finch.hello has positions of nothing: %+v", h)
		},
	},
}
