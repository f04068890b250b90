package scenarios

import (
	"time"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

// ask sends a question of the server.
func ask(conn *stage.Conn, path string, id protocol.ID) {
	conn.Send(protocol.Envelope{Path: path, Status: 200, ID: id})
}

// replied checks that m answers the question with that id.
func replied(s *stage.Stage, m scripted.Message, id protocol.ID) {
	s.Check(m.Reply == id, "the answer should have had reply %v: %v", id, m)
}

var questions = []stage.Scenario{
	{
		Name:   "the-server-asks",
		Checks: "The server may ask, too: a message with an id wants one answer.",
		Needs:  []string{"ask"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("where", stage.Handler{"answer": map[string]any{"zoom": 3}})
			c.On("nothing", nil)
			conn := c.Open("")
			for _, id := range []protocol.ID{protocol.IntID(1), protocol.IntID(0), protocol.StringID("1"), protocol.StringID(""), protocol.IntID(1 << 53)} {
				ask(conn, "where", id)
				m := conn.Take()
				replied(s, m, id)
				s.Check(m.Error == nil && stage.Same(string(m.Data), `{"zoom":3}`), "the answer was %v", m)
				c.Message("where", "null")
			}
			ask(conn, "nothing", protocol.IntID(2))
			m := conn.Take()
			replied(s, m, protocol.IntID(2))
			s.Check(m.Error == nil && stage.Same(string(m.Data), "null"), "the empty answer was %v", m)
			c.Message("nothing", "null")
			conn.Event("where", "4") // no question: no answer
			c.Message("where", "4")
			c.Do("send", stage.Command{"path": "next", "data": nil})
			conn.Expect("next")
		},
	},
	{
		Name:   "the-server-asks-and-is-refused",
		Checks: "To say no, answer with a status and an error; a bug of a handler tells the server nothing of itself.",
		Needs:  []string{"ask"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("no", stage.Handler{"fail": map[string]any{"status": 404, "code": "no_map", "message": "There is no map."}})
			c.On("bug", stage.Handler{"throws": true})
			conn := c.Open("")
			ask(conn, "no", protocol.IntID(1))
			m := conn.Take()
			replied(s, m, protocol.IntID(1))
			s.Check(m.Error != nil && m.Status == 404 && m.Error.Code == "no_map" && m.Error.Message == "There is no map.", "the refusal was %v", m)
			ask(conn, "bug", protocol.IntID(2))
			m = conn.Take()
			replied(s, m, protocol.IntID(2))
			s.Check(m.Error != nil && m.Status >= 500, "a bug was answered with %v", m)
			ask(conn, "unheard.of", protocol.IntID(3))
			m = conn.Take()
			replied(s, m, protocol.IntID(3))
			s.Check(m.Error != nil && m.Status == 404, "a question on an unknown path was answered with %v", m)
		},
	},
	{
		Name:   "an-answer-stays-on-its-connection",
		Checks: "An answer to a question of the server goes out on the connection on which the question came, or not at all.",
		Needs:  []string{"ask"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("slow", stage.Handler{"delay": 200, "answer": "of the old"})
			c.On("fast", stage.Handler{"answer": "of the new"})
			conn := c.Open("")
			ask(conn, "slow", protocol.IntID(1))
			c.Message("slow", "null")
			conn.Drop()
			conn = c.Accept()
			conn.Greet("")
			ask(conn, "fast", protocol.IntID(1))
			m := conn.Take()
			replied(s, m, protocol.IntID(1))
			s.Check(string(m.Data) == `"of the new"`, "a question of this connection was answered with %v", m)
			conn.Idle(250 * time.Millisecond)
		},
	},
}
