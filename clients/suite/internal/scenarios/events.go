package scenarios

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/protocol"
)

var events = []stage.Scenario{
	{
		Name:   "hello-first",
		Checks: "The client says hello first; what the user sends waits until that is under way.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.Do("send", stage.Command{"path": "early", "data": 1})
			c.Connect()
			h := c.Knock()
			c.Do("send", stage.Command{"path": "earlier", "data": 2})
			conn := c.Upgrade(h)
			hello := conn.Greet("")
			s.Check(hello.Ticket == "" && len(hello.Rooms) == 0, "the first finch.hello of a client has a ticket or rooms: %+v", hello)
			c.State("open")
			c.Do("send", stage.Command{"path": "late", "data": 3})
			for i, path := range []string{"early", "earlier", "late"} {
				m := conn.Expect(path)
				s.Check(string(m.Data) == fmt.Sprint(i+1) && m.ID.IsZero(), "what came on %s is not what was sent: %v", path, m)
			}
		},
	},
	{
		Name:   "events",
		Checks: "One WebSocket message is one event. Its name is the path, and it carries data.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("notice", nil)
			c.On("خبر 🐦", nil)
			conn := c.Open("")
			for i := range 100 {
				conn.Event("notice", fmt.Sprint(i))
			}
			conn.Event("خبر 🐦", `{"name":"سارا","text":"سلام \u0000 \" \\ 😀"}`)
			conn.Event("notice", "null")
			conn.SendText(`{"data":[1.5,0,1e3,""],"path":"n\u006ftice"}`)
			for i := range 100 {
				c.Message("notice", fmt.Sprint(i))
			}
			c.Message("خبر 🐦", `{"name":"سارا","text":"سلام \u0000 \" \\ 😀"}`)
			c.Message("notice", "null")
			c.Message("notice", `[1.5,0,1000,""]`)
			for _, data := range []any{"سلام", nil, 1.5, []int{}, map[string]any{"a": "<&>\u2028"}} {
				c.Do("send", stage.Command{"path": "say 🐦", "data": data})
				want, _ := json.Marshal(data)
				m := conn.Expect("say 🐦")
				s.Check(stage.Same(string(m.Data), string(want)) && m.ID.IsZero(), "%s was sent as %v", want, m)
			}
		},
	},
	{
		Name:   "passes-over-the-unknown",
		Checks: "Within a version fields and paths may be added, so pass over what you do not know.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("known", nil)
			conn := c.Open(`{"future":{"a":[1]},"limits":{"message_bytes":65536,"json_depth":64,"new":1}}`)
			for _, text := range []string{
				`سلام`, `42`, `[1]`, `null`, `{"half":`, `{}`, ``, ` `,
				`{"path":7}`, `{"path":"known","id":1,"reply":2,"data":"both"}`,
				`{"path":"finch.future","status":200,"data":{"room":"x"}}`,
				`{"path":"finch.joined","status":200,"data":42}`,
				`{"path":"finch.drain","status":200,"data":{"delay":"soon"}}`,
				`{"path":"finch.reset","status":200}`,
				`{"path":"finch.presence","status":200,"room":"nowhere","data":[]}`,
				`{"path":"finch.error","status":404,"data":{"path":"x"},"error":{"code":"unknown_path","message":"no"}}`,
				`{"path":"unknown","status":200,"data":1}`,
				`{"path":"known","status":200,"reply":99,"data":"nobody asked"}`,
				`{"path":"known","status":200,"reply":"text","data":"nobody asked"}`,
				`{"path":"known","status":200,"timestamp":1,"client":"s","language":"fa","trace":[{}],"data":"here"}`,
			} {
				conn.SendText(text)
			}
			c.Message("known", `"here"`)
			conn.Write([]byte{0x82, 0x02, 0, 0})                                   // a binary message too short for its length
			conn.Write([]byte{0x82, 0x08, 0xff, 0xff, 0xff, 0xff, '{', '}', 0, 0}) // and one that promises too much
			conn.Event("known", `"still here"`)
			c.Message("known", `"still here"`)
		},
	},
	{
		Name:   "handlers-are-replaced-not-added",
		Checks: "A second handler of a path replaces the first: no message is handled twice.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("notice", nil)
			c.On("notice", nil)
			conn := c.Open("")
			c.On("notice", nil)
			c.Do("send", stage.Command{"path": "sync", "data": nil})
			conn.Expect("sync")
			conn.Event("notice", "1")
			conn.Event("notice", "2")
			c.Message("notice", "1")
			c.Message("notice", "2")
		},
	},
	{
		Name:   "a-failing-handler-costs-nothing",
		Checks: "A handler that fails does not end the connection, and the next messages come.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("bad", stage.Handler{"throws": true})
			c.On("good", nil)
			conn := c.Open("")
			conn.Event("bad", "1")
			conn.Event("good", "2")
			conn.Event("bad", "3")
			conn.Event("good", "4")
			c.Message("bad", "1")
			c.Message("good", "2")
			c.Message("bad", "3")
			c.Message("good", "4")
			c.Do("send", stage.Command{"path": "alive", "data": nil})
			conn.Expect("alive")
		},
	},
	{
		Name:   "messages-keep-their-order",
		Checks: "Messages reach the user in the order in which they came, however long a handler takes.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("slow", stage.Handler{"delay": 30})
			c.On("fast", nil)
			conn := c.Open("")
			conn.Event("slow", "1")
			conn.Event("fast", "2")
			conn.Event("slow", "3")
			conn.Event("fast", "4")
			c.Message("slow", "1")
			c.Message("fast", "2")
			c.Message("slow", "3")
			c.Message("fast", "4")
		},
	},
	{
		Name:   "fragments-and-pings",
		Checks: "A message may come in fragments with pings between them; a ping is answered with the same bytes.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.On("notice", nil)
			conn := c.Open("")
			pong := conn.Pongs()
			text := `{"path":"notice","status":200,"data":"سلام"}`
			conn.Write(append([]byte{0x01, 20}, text[:20]...))
			conn.Write([]byte{0x89, 3, 'a', 'b', 'c'})
			conn.Write(append([]byte{0x00, byte(len(text) - 21)}, text[20:len(text)-1]...))
			conn.Write([]byte{0x80, 1, '}'})
			c.Message("notice", `"سلام"`)
			select {
			case got := <-pong:
				s.Check(got == "abc", "the ping abc was answered with %q", got)
			case <-time.After(stage.Patience):
				s.Fail("the ping was not answered")
			}
		},
	},
	{
		Name:   "sends-while-away-wait",
		Checks: "What the user sends while there is no connection waits for the next one.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			conn.Drop()
			c.State("waiting")
			for i := range 5 {
				c.Do("send", stage.Command{"path": "say", "data": i})
			}
			conn = c.Accept()
			conn.Greet("")
			for i := range 5 {
				m := conn.Expect("say")
				s.Check(string(m.Data) == fmt.Sprint(i), "the messages that waited came in another order: %v instead of %d", m, i)
			}
		},
	},
	{
		Name:   "close",
		Checks: "When you close, send 1000; then the client is closed and stays so.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			c.Do("send", stage.Command{"path": "last", "data": nil})
			c.Do("close", nil)
			conn.Expect("last")
			code := conn.Ends()
			s.Check(code == protocol.CloseNormal, "the client closed with %d", code)
			c.State("closed")
			c.StaysAway(150 * time.Millisecond)
		},
	},
}
