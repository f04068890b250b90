package scenarios

import (
	"fmt"
	"slices"
	"strings"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/internal/scripted"
)

// among waits for a report of who is in the room and checks it.
func among(s *stage.Stage, r stage.Report, count int, ids ...string) {
	got := slices.Sorted(slices.Values(r.Members))
	s.Check(r.Room == room && r.Count == count && slices.Equal(got, ids), "%d should be in the room, and %v known: %v", count, ids, r)
}

// asksWho waits for finch.presence and checks its watch and its after.
func asksWho(s *stage.Stage, conn *stage.Conn, watch bool, after string) scripted.Message {
	m := conn.Expect("finch.presence")
	text := string(m.Data)
	s.Check(!m.ID.IsZero() && strings.Contains(text, `"chat:7"`), "finch.presence has an id and names the room: %v", m)
	s.Check(!watch || strings.Contains(text, `"watch":true`), "finch.presence should ask to watch: %v", m)
	s.Check((after == "") == !strings.Contains(text, `"after"`) && strings.Contains(text, after), "finch.presence should ask after %q: %v", after, m)
	return m
}

var readings = []stage.Scenario{
	{
		Name:   "history",
		Checks: "finch.history asks for a page before or after a position; the answer has messages, oldest first, and whether there is more.",
		Needs:  []string{"rooms", "history"},
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			ref := c.Ask("history", stage.Command{"room": room})
			m := conn.Expect("finch.history")
			s.Check(!m.ID.IsZero() && strings.Contains(string(m.Data), `"chat:7"`), "finch.history has an id and names the room: %v", m)
			conn.Answer(m, `{"messages":[{"path":"post","data":{"a":1},"position":"k3v.11.a","from":"ann","key":"k","timestamp":1767225600000,"new":1},{"path":"photo","binary":"AQID","position":"k3v.12.a","timestamp":1767225600001}],"more":true,"position":"k3v.12.a"}`)
			r := c.Result(ref, "history")
			s.Check(len(r.Messages) == 2 && r.More, "the page has two messages, and there is more: %v", r)
			first, second := r.Messages[0], r.Messages[1]
			s.Check(first.Path == "post" && first.JSON() == `{"a":1}` && first.Position == "k3v.11.a" && first.From == "ann", "the first is another: %v", r)
			bytes, ok := second.Binary()
			s.Check(ok && string(bytes) == "\x01\x02\x03" && second.Position == "k3v.12.a", "the second is another: %v", r)
			ref = c.Ask("history", stage.Command{"room": room, "before": "k3v.11.a", "limit": 7})
			m = conn.Request("finch.history", `{"room":"chat:7","before":"k3v.11.a","limit":7}`)
			conn.Answer(m, `{"messages":[],"more":false,"position":"k3v.12.a"}`)
			r = c.Result(ref, "history")
			s.Check(len(r.Messages) == 0 && !r.More, "the page is empty: %v", r)
			ref = c.Ask("history", stage.Command{"room": room, "after": "k2.1.a", "limit": 7})
			m = conn.Request("finch.history", `{"room":"chat:7","after":"k2.1.a","limit":7}`)
			conn.Fail(m, 409, "reset")
			c.Fails(ref, "reset")
			conn.Post(room, "k3v.13.a", "13") // a page moves no position
			posted(s, c, "k3v.13.a", "13")
		},
	},
	{
		Name:   "presence",
		Checks: "finch.presence tells who is in the room; after is for those beyond the first page.",
		Needs:  []string{"rooms", "presence"},
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			ref := c.Ask("presence", stage.Command{"room": room})
			conn.Answer(asksWho(s, conn, false, ""), `{"members":[{"id":"ann","devices":2,"since":1,"data":{"x":1}},{"id":"bob","devices":1,"since":2}],"count":3,"next":"page2"}`)
			conn.Answer(asksWho(s, conn, false, "page2"), `{"members":[{"id":"سارا","devices":1,"since":3}],"count":3}`)
			among(s, c.Result(ref, "presence"), 3, "ann", "bob", "سارا")
			ref = c.Ask("presence", stage.Command{"room": room})
			conn.Fail(conn.Expect("finch.presence"), 422, "no_presence")
			c.Fails(ref, "no_presence")
		},
	},
	{
		Name:   "presence-changes",
		Checks: "After watch changes come as finch.presence; partial ones ask to ask again; after a reconnect ask again.",
		Needs:  []string{"rooms", "presence"},
		Play: func(s *stage.Stage) {
			c, conn := inRoom(s, nil)
			change := func(data string) {
				conn.SendText(fmt.Sprintf(`{"path":"finch.presence","status":200,"room":"chat:7","data":%s}`, data))
			}
			ref := c.Ask("presence", stage.Command{"room": room, "watch": true})
			conn.Answer(asksWho(s, conn, true, ""), `{"members":[{"id":"ann","devices":1,"since":1}],"count":1}`)
			among(s, c.Result(ref, "presence"), 1, "ann")
			change(`{"joined":[{"id":"bob","devices":1,"since":2},{"id":"cy","devices":1,"since":2}],"updated":[],"left":[],"count":3}`)
			among(s, c.Next("presence"), 3, "ann", "bob", "cy")
			change(`{"updated":[{"id":"bob","devices":2,"since":2}],"left":["ann"],"count":2}`)
			among(s, c.Next("presence"), 2, "bob", "cy")
			change(`{"count":900,"partial":true}`)
			m := asksWho(s, conn, true, "")
			conn.Answer(m, `{"members":[{"id":"dee","devices":1,"since":1}],"count":1}`)
			for {
				r := c.Next("presence")
				if r.Count == 900 { // the count may be told before the list
					continue
				}
				among(s, r, 1, "dee")
				break
			}
			conn.Drop()
			conn = comesBack(s, c, "k3v.12.a")
			conn.Answer(asksWho(s, conn, true, ""), `{"members":[{"id":"eve","devices":1,"since":1}],"count":1}`)
			among(s, c.Next("presence"), 1, "eve")
			change(`{"joined":[{"id":"fay","devices":1,"since":2}],"count":2}`)
			among(s, c.Next("presence"), 2, "eve", "fay")
		},
	},
}
