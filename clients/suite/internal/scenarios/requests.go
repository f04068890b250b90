package scenarios

import (
	"fmt"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

func request(c *stage.Client, path string, data any) (ref int) {
	return c.Ask("request", stage.Command{"path": path, "data": data})
}

var requests = []stage.Scenario{
	{
		Name:   "requests",
		Checks: "Whoever wants an answer adds an id, and gets the same id back as reply.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			refs := make([]int, 5)
			asked := make([]scripted.Message, 5)
			for i := range refs {
				refs[i] = request(c, "double", i)
				asked[i] = conn.Request("double", fmt.Sprint(i))
				for j := range i {
					s.Check(asked[i].ID != asked[j].ID, "two questions have the id %v", asked[i].ID)
				}
			}
			for i := len(refs) - 1; i >= 0; i-- { // answers in any order, on any path
				e := protocol.Envelope{Path: "other", Status: 200, Reply: asked[i].ID, Data: []byte(fmt.Sprint(2 * i))}
				conn.Send(e)
				conn.Send(e) // and once too often
			}
			for i, ref := range refs {
				r := c.Result(ref, "answer")
				s.Check(r.JSON() == fmt.Sprint(2*i), "the answer to %d was %v", i, r)
			}
			ref := request(c, "nothing", nil)
			conn.Answer(conn.Request("nothing", "null"), "null")
			r := c.Result(ref, "answer")
			s.Check(r.JSON() == "null", "the empty answer was %v", r)
		},
	},
	{
		Name:   "a-request-fails",
		Checks: "A failed request has an error, and a status from 400 up. Branch on error.code.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			ref := request(c, "join", nil)
			m := conn.Take()
			conn.Send(protocol.Envelope{Path: m.Path, Status: 409, Reply: m.ID, Error: &protocol.Error{Code: "room_full", Message: "اتاق پر است."}})
			r := c.Fails(ref, "room_full")
			s.Check(r.Status == 409 && r.Message == "اتاق پر است.", "the error was told as %v", r)
		},
	},
	{
		Name:   "a-request-times-out",
		Checks: "A request has a time limit; an answer that comes too late is dropped in silence.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			ref := c.Ask("request", stage.Command{"path": "never", "data": 1, "timeout": 60})
			never := conn.Expect("never")
			c.Fails(ref, "timeout")
			second := request(c, "soon", 2)
			soon := conn.Expect("soon")
			conn.Answer(never, `"late"`)
			conn.Answer(soon, `"in time"`)
			r := c.Result(second, "answer")
			s.Check(r.JSON() == `"in time"`, "the answer was %v", r)
		},
	},
	{
		Name:   "a-request-is-not-repeated",
		Checks: "If the socket closes first, no answer comes: the request fails, and is not sent again.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			first := request(c, "pay", 1)
			lost := conn.Expect("pay")
			conn.Drop()
			c.Fails(first, "connection_lost")
			second := request(c, "see", 2)
			conn = c.Accept()
			conn.Greet("")
			m := conn.Take()
			s.Check(m.Path == "see", "the request whose connection broke was sent again: %v", m)
			if m.ID != lost.ID {
				conn.Answer(lost, `"of another connection"`)
			}
			conn.Answer(m, `"seen"`)
			r := c.Result(second, "answer")
			s.Check(r.JSON() == `"seen"`, "the answer was %v", r)
		},
	},
	{
		Name:   "a-request-waits-for-the-connection",
		Checks: "What the user asks while there is no connection waits for the next one, within its time limit.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			ref := request(c, "early", 1)
			c.Connect()
			conn := c.Accept()
			conn.Greet("")
			conn.Answer(conn.Request("early", "1"), "2")
			c.Result(ref, "answer")
			conn.Drop()
			c.State("waiting")
			late := c.Ask("request", stage.Command{"path": "hopeless", "timeout": 50})
			h := c.Knock() // and is kept waiting
			c.Fails(late, "timeout")
			conn = c.Upgrade(h)
			conn.Greet("")
			c.Do("send", stage.Command{"path": "next", "data": nil})
			conn.Expect("next") // and not what has already failed
		},
	},
	{
		Name:   "a-request-after-the-end",
		Checks: "A client that is closed says so, at once.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			before := request(c, "never", nil)
			conn.Expect("never")
			c.Do("close", nil)
			c.Fails(before, "connection_lost", "closed")
			c.State("closed")
			c.Fails(request(c, "late", nil), "closed")
		},
	},
}
