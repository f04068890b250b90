package scenarios

import (
	"fmt"
	"time"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/protocol"
)

const room = "chat:7"

// posted waits for the next message and checks where it stands in the room.
func posted(s *stage.Stage, c *stage.Client, position, data string) stage.Report {
	r := c.Next("message", "reset", "lagged", "left")
	s.Check(r.Saw == "message" && r.Room == room && r.Position == position && stage.Same(r.JSON(), data),
		"the next message should be %s at %s: %v", data, position, r)
	return r
}

// stands checks what finch.hello says of the room.
func stands(s *stage.Stage, h stage.Hello, position string) {
	got, ok := h.Rooms[room]
	s.Check(ok && got == position, "finch.hello should name %s at %q: %+v", room, position, h)
}

// joinedAgain tells the client that it is in the room again.
func joinedAgain(conn *stage.Conn, position string, missed int) {
	conn.Event("finch.joined", fmt.Sprintf(`{"room":%q,"position":%q,"recovered":true,"missed":%d}`, room, position, missed))
}

var rooms = []stage.Scenario{
	{
		Name:   "join-and-leave",
		Checks: "finch.join and finch.leave have an id and name the room; messages of the room come between them.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			ref := c.Ask("join", stage.Command{"room": room})
			m := conn.Request("finch.join", `{"room":"chat:7"}`)
			conn.Answer(m, `{"room":"chat:7","position":"k3v.12.9f2a"}`)
			conn.Post(room, "k3v.13.a", `{"text":"سلام"}`)
			conn.Send(protocol.Envelope{Path: "typing", Status: 200, Room: room, Data: []byte(`"sara"`)})
			c.Result(ref, "joined")
			r := posted(s, c, "k3v.13.a", `{"text":"سلام"}`)
			s.Check(r.From == "ann", "the message is from ann: %v", r)
			r = c.Message("typing", `"sara"`)
			s.Check(r.Room == room && r.Position == "", "what was sent to a room has no position: %v", r)
			ref = c.Ask("leave", stage.Command{"room": room})
			conn.Answer(conn.Request("finch.leave", `{"room":"chat:7"}`), "null")
			c.Result(ref, "answer")
			conn.Drop()
			conn = c.Accept()
			h := conn.Greet("")
			s.Check(len(h.Rooms) == 0, "a room that was left is named in finch.hello: %+v", h)
		},
	},
	{
		Name:   "a-refused-join",
		Checks: "A refused join is an error with the server's code; the client does not ask for that room again.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			ref := c.Ask("join", stage.Command{"room": room})
			conn.Fail(conn.Expect("finch.join"), 403, "forbidden")
			r := c.Fails(ref, "forbidden")
			s.Check(r.Status == 403, "the status was 403: %v", r)
			conn.Drop()
			conn = c.Accept()
			h := conn.Greet("")
			s.Check(len(h.Rooms) == 0, "a room that was refused is named in finch.hello: %+v", h)
		},
	},
	{
		Name:   "a-join-survives-the-connection",
		Checks: "rooms of finch.hello: the rooms that the client wants to be in, also those whose join was not answered yet.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			ref := c.Ask("join", stage.Command{"room": room}) // before there is any connection
			c.Connect()
			for range 2 {
				conn := c.Accept()
				h := conn.Hello()
				if _, named := h.Rooms[room]; named { // in finch.hello, or with finch.join: both are right
					stands(s, h, "")
					conn.Welcome("")
				} else {
					conn.Welcome("")
					conn.Expect("finch.join")
				}
				conn.Drop() // and is not answered
			}
			conn := c.Accept()
			h := conn.Greet("")
			if _, named := h.Rooms[room]; named {
				conn.Event("finch.joined", `{"room":"chat:7","position":"k3v.12.9f2a"}`)
			} else {
				conn.Answer(conn.Expect("finch.join"), `{"room":"chat:7","position":"k3v.12.9f2a"}`)
			}
			c.Result(ref, "joined")
			conn.Post(room, "k3v.13.a", "1")
			posted(s, c, "k3v.13.a", "1")
		},
	},
	{
		Name:   "resume",
		Checks: "finch.hello of a client that returns has the newest ticket and the position of each room; what was missed comes after finch.joined.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open(`{"ticket":"one"}`)
			c.Join(conn, room, "k3v.12.9f2a", nil)
			conn.Post(room, "k3v.13.a", "13")
			posted(s, c, "k3v.13.a", "13")
			for i := 14; i < 40; i += 3 { // it works many times in a row
				conn.Drop()
				conn = c.Accept()
				h := conn.Greet(fmt.Sprintf(`{"resumed":true,"ticket":"after %d"}`, i))
				want := "one"
				if i > 14 {
					want = fmt.Sprintf("after %d", i-3)
				}
				s.Check(h.Ticket == want, "finch.hello should have the ticket %q: %+v", want, h)
				last := fmt.Sprintf("k3v.%d.a", i-1)
				stands(s, h, last)
				joinedAgain(conn, last, 2)
				for j := i; j < i+3; j++ {
					conn.Post(room, fmt.Sprintf("k3v.%d.a", j), fmt.Sprint(j))
				}
				for j := i; j < i+3; j++ {
					posted(s, c, fmt.Sprintf("k3v.%d.a", j), fmt.Sprint(j))
				}
			}
		},
	},
	{
		Name:   "resume-of-a-quiet-room",
		Checks: "The position of a room in which nothing came is the one that the join gave.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.0.0", nil)
			for range 2 {
				conn.Drop()
				conn = c.Accept()
				stands(s, conn.Greet(""), "k3v.0.0")
				joinedAgain(conn, "k3v.0.0", 0)
			}
			conn.Post(room, "k3v.1.a", "1")
			posted(s, c, "k3v.1.a", "1")
		},
	},
	{
		Name:   "recorded-messages-before-joined-are-dropped",
		Checks: "From connecting until finch.joined came for a room, drop recorded messages of it; ephemeral ones are handled at once.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.9f2a", nil)
			conn.Drop()
			conn = c.Accept()
			stands(s, conn.Greet(""), "k3v.12.9f2a")
			conn.Post(room, "k3v.15.a", "15")
			conn.Send(protocol.Envelope{Path: "typing", Status: 200, Room: room, Data: []byte(`1`)})
			c.Message("typing", "1")
			conn.Post(room, "k3v.16.a", "16")
			joinedAgain(conn, "k3v.12.9f2a", 4)
			for i := 13; i < 18; i++ {
				conn.Post(room, fmt.Sprintf("k3v.%d.a", i), fmt.Sprint(i))
			}
			for i := 13; i < 18; i++ {
				posted(s, c, fmt.Sprintf("k3v.%d.a", i), fmt.Sprint(i))
			}
		},
	},
	{
		Name:   "duplicates-are-dropped",
		Checks: "Offsets of one epoch rise and may skip; they have 64 bits. What is not beyond the position was there before.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.5.b", nil)
			for _, position := range []string{"k3v.5.b", "k3v.4.b", "k3v.0.0"} {
				conn.Post(room, position, `"old"`)
			}
			offsets := []string{"9", "10", "100", "9007199254740992", "9007199254740993", "9007199254740995", "9223372036854775808", "18446744073709551615"}
			for i, offset := range offsets {
				position := "k3v." + offset + ".c"
				conn.Post(room, position, fmt.Sprint(i))
				conn.Post(room, position, `"twice"`)
				if i > 0 {
					conn.Post(room, "k3v."+offsets[i-1]+".c", `"older"`)
				}
			}
			for i, offset := range offsets {
				posted(s, c, "k3v."+offset+".c", fmt.Sprint(i))
			}
			conn.Event("finch.reset", `{"room":"chat:7","position":"k4.7.1","reason":"epoch"}`) // ends the room's first life
			r := c.Next("message", "reset")
			s.Check(r.Saw == "reset", "a message came that was there before: %v", r)
		},
	},
	{
		Name:   "other-rooms-are-apart",
		Checks: "Each room has a position of its own.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.5.b", nil)
			c.Join(conn, "news", "x.90.b", nil)
			conn.Post("news", "x.91.c", "91")
			conn.Post(room, "k3v.6.c", "6")
			seen := map[string]string{}
			for range 2 {
				r := c.Next("message")
				seen[r.Room] = r.Position
			}
			s.Check(seen[room] == "k3v.6.c" && seen["news"] == "x.91.c", "the messages were reported as %v", seen)
			conn.Drop()
			h := c.Accept().Greet("")
			s.Check(len(h.Rooms) == 2 && h.Rooms["news"] == "x.91.c", "finch.hello has other rooms: %+v", h)
			stands(s, h, "k3v.6.c")
		},
	},
	{
		Name:   "a-position-moves-before-the-handler-runs",
		Checks: "A handler that fails gets no message twice: the position is moved before it runs.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.9f2a", stage.Handler{"throws": true, "delay": 200})
			conn.Post(room, "k3v.13.a", "13")
			posted(s, c, "k3v.13.a", "13")
			conn.Drop() // while the handler runs
			conn = c.Accept()
			stands(s, conn.Greet(""), "k3v.13.a")
			joinedAgain(conn, "k3v.13.a", 0)
			conn.Post(room, "k3v.13.a", "13")
			conn.Post(room, "k3v.14.a", "14")
			posted(s, c, "k3v.14.a", "14")
		},
	},
	{
		Name:   "a-handler-joins-again",
		Checks: "A handler that leaves and joins again gets no message twice.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			leave, again := 101, 102
			c.Join(conn, room, "k3v.12.9f2a", stage.Handler{"then": []stage.Command{
				{"do": "leave", "ref": leave, "room": room},
				{"do": "join", "ref": again, "room": room},
			}})
			conn.Post(room, "k3v.13.a", "13")
			posted(s, c, "k3v.13.a", "13")
			m := conn.Expect("finch.leave")
			conn.Post(room, "k3v.14.a", "14") // until the answer messages may still arrive
			conn.Answer(m, "null")
			c.Result(leave, "answer")
			m = conn.Request("finch.join", `{"room":"chat:7"}`) // the position of a room that one has left is forgotten
			conn.Answer(m, `{"room":"chat:7","position":"k3v.15.a"}`)
			c.Result(again, "joined")
			conn.Post(room, "k3v.13.a", "13")
			conn.Post(room, "k3v.15.a", "15")
			conn.Post(room, "k3v.16.a", "16")
			for {
				r := c.Next("message")
				s.Check(r.Position != "k3v.13.a" && r.Position != "k3v.15.a", "a message came that was there before: %v", r)
				if r.Position == "k3v.16.a" {
					break
				}
			}
		},
	},
	{
		Name:   "a-handler-closes",
		Checks: "After close no handler runs any more.",
		Needs:  []string{"rooms"},
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Join(conn, room, "k3v.12.9f2a", stage.Handler{"then": []stage.Command{{"do": "close"}}})
			for i := 13; i < 20; i++ {
				conn.Post(room, fmt.Sprintf("k3v.%d.a", i), fmt.Sprint(i))
			}
			posted(s, c, "k3v.13.a", "13")
			c.State("closed")
			conn.Ends()
			c.StaysAway(100 * time.Millisecond)
			s.Check(len(c.Seen("message")) == 1, "messages came after the close: %v", c.Seen("message"))
		},
	},
}
