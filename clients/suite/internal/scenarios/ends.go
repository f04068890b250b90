package scenarios

import (
	"fmt"
	"time"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/protocol"
)

// away is long enough, with the quick options of the stage, for a client that
// wrongly connects again to be caught.
const away = 250 * time.Millisecond

// retried and final are the close codes of the server after which a client
// connects again, and after which it does not. 0 is a connection that breaks.
var (
	retried = []int{0, 1001, 1005, 1009, 1011, 1012, 1013, 1014, 4408, 4429}
	final   = []int{1000, 1002, 1003, 1007, 1008, 4403, 4409, 3000, 4000, 4999}
)

// ends is a scenario for each close code, and those that need more than one.
var ends = func() []stage.Scenario {
	var all []stage.Scenario
	for _, code := range retried {
		name, checks := fmt.Sprintf("after-%d-it-returns", code), "After this code: retry with jitter."
		if code == 0 {
			name, checks = "after-1006-it-returns", "When there is no close frame at all (1006): retry with jitter."
		}
		all = append(all, stage.Scenario{Name: name, Checks: checks, Play: func(s *stage.Stage) { returnsAfter(s, code) }})
	}
	for _, code := range final {
		all = append(all, stage.Scenario{
			Name:   fmt.Sprintf("after-%d-it-stops", code),
			Checks: "After this code: do not connect again by yourself; it would end the same way.",
			Play:   func(s *stage.Stage) { stopsAfter(s, code) },
		})
	}
	return append(all, otherEnds...)
}()

func returnsAfter(s *stage.Stage, code int) {
	c := s.Client(nil)
	conn := c.Open("")
	pending := request(c, "never", nil)
	conn.Expect("never")
	want := code
	if code == 0 {
		want = 1006
		conn.Drop()
	} else {
		conn.Close(code, "as the script wants it")
	}
	c.Fails(pending, "connection_lost")
	r := c.State("waiting")
	s.Check(r.CloseCode() == want, "the state should say code %d: %v", want, r)
	conn = c.Accept()
	conn.Greet("")
	c.State("open")
}

func stopsAfter(s *stage.Stage, code int) {
	c := s.Client(nil)
	conn := c.Open("")
	pending := request(c, "never", nil)
	conn.Expect("never")
	conn.Close(code, "the reason")
	c.Fails(pending, "connection_lost", "closed")
	r := c.State("closed")
	s.Check(r.CloseCode() == code && r.Reason == "the reason", "the state should say %d, the reason: %v", code, r)
	c.Fails(request(c, "late", nil), "closed")
	c.StaysAway(away)
}

var otherEnds = []stage.Scenario{
	{
		Name:   "a-new-token-once",
		Checks: "4401: get a new token and retry once; if that ends with 4401 again, stop.",
		Needs:  []string{"tokens"},
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"tokens": []string{"first", "سارا/second+~", "third"}})
			c.Connect()
			for _, token := range []string{"first", "سارا/second+~"} {
				h := c.Knock()
				s.Check(h.Token() == token, "the client came with the token %q, not with %q", h.Token(), token)
				s.Check(h.Request.URL.RawQuery == "", "a token never travels in the URL: %s", h.Request.URL)
				c.Upgrade(h).Close(protocol.CloseUnauthorized, "no")
			}
			r := c.State("closed")
			s.Check(r.CloseCode() == protocol.CloseUnauthorized, "the state should say 4401: %v", r)
			c.StaysAway(away)
		},
	},
	{
		Name:   "a-token-may-expire-often",
		Checks: "4401 again after a connection that was open: a new token once more.",
		Needs:  []string{"tokens"},
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"tokens": []string{"1", "2", "3", "4"}})
			c.Connect()
			for i := range 4 {
				h := c.Knock()
				s.Check(h.Token() == fmt.Sprint(i+1), "connection %d came with the token %q", i+1, h.Token())
				conn := c.Upgrade(h)
				conn.Greet("")
				c.State("open")
				conn.Close(protocol.CloseUnauthorized, "expired")
			}
		},
	},
	{
		Name:   "no-way-to-a-token",
		Checks: "4401: a client that has no way to get a token stops.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			conn.Close(protocol.CloseUnauthorized, "expired")
			r := c.State("closed")
			s.Check(r.CloseCode() == protocol.CloseUnauthorized, "the state should say 4401: %v", r)
			c.StaysAway(away)
		},
	},
	{
		Name:   "a-failing-token-function",
		Checks: "A token that cannot be had now is a failed try: retry with jitter.",
		Needs:  []string{"tokens"},
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"tokens": []any{nil, nil, "good"}})
			c.Connect()
			c.State("waiting")
			h := c.Knock()
			s.Check(h.Token() == "good", "the client came with the token %q", h.Token())
			c.Upgrade(h).Greet("")
			c.State("open")
		},
	},
	{
		Name:   "http-status-of-a-refusal",
		Checks: "HTTP 401 and 403 mean what 4401 and 4403 mean, to a client that can see them.",
		Needs:  []string{"http_status", "tokens"},
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"tokens": []string{"old", "new"}})
			c.Connect()
			c.Knock().Refuse(401)
			h := c.Knock()
			s.Check(h.Token() == "new", "after 401 the client came with the token %q", h.Token())
			h.Refuse(401)
			c.State("closed")
			c.StaysAway(away)
			d := s.Client(nil)
			d.Connect()
			d.Knock().Refuse(403)
			d.State("closed")
			d.StaysAway(away)
		},
	},
	{
		Name:   "close-while-waiting",
		Checks: "A client that was closed while it waited does not connect.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 150, "retry_max": 150})
			conn := c.Open("")
			conn.Drop()
			c.State("waiting")
			c.Do("close", nil)
			c.State("closed")
			d := s.Client(nil)
			d.Connect()
			h := d.Knock() // and is closed before it is answered
			d.Do("close", nil)
			d.State("closed")
			h.Drop()
			d.StaysAway(away)
		},
	},
	{
		Name:   "close-while-hello-waits",
		Checks: "A client may be closed at any moment; what was asked before says closed.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			c.Connect()
			conn := c.Accept()
			conn.Hello()
			ref := request(c, "never", nil)
			c.Do("close", nil)
			c.Fails(ref, "closed", "connection_lost")
			c.State("closed")
			conn.Ends()
			conn.Welcome("")
			c.StaysAway(away)
		},
	},
}
