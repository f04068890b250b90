package scenarios

import (
	"fmt"
	"slices"
	"time"

	"github.com/finch-go/finch/clients/suite/internal/stage"
	"github.com/finch-go/finch/internal/scripted"
	"github.com/finch-go/finch/protocol"
)

// slack is what a busy machine may add to a delay.
const slack = 400 * time.Millisecond

// crowd is how many clients show that delays are random: that none of them
// falls into some quarter of the range has a chance of 4 in 100,000.
const crowd = 40

// waits returns the delay that the state waiting told; ok is false if it told
// none.
func waits(r stage.Report) (time.Duration, bool) {
	if r.Delay == nil {
		return 0, false
	}
	return time.Duration(*r.Delay * float64(time.Millisecond)), true
}

// spread checks that delays look uniform between 0 and bound, give or take what
// a busy machine adds.
func spread(s *stage.Stage, what string, delays []time.Duration, bound, slack time.Duration) {
	slices.Sort(delays)
	s.Check(delays[len(delays)-1] <= bound+slack, "%s: a client waited %v, the bound is %v: %v", what, delays[len(delays)-1], bound, delays)
	var quarter [4]int
	for _, d := range delays {
		quarter[min(int(4*d/bound), 3)]++
	}
	for i, n := range quarter {
		s.Check(n > 0, "%s: no client came in quarter %d of %v: %v", what, i+1, bound, delays)
		s.Check(n <= len(delays)*2/3, "%s: %d of %d clients came in quarter %d of %v: %v", what, n, len(delays), i+1, bound, delays)
	}
}

// again waits until each client has knocked, and returns how long after since.
func again(clients []*stage.Client, since time.Time) ([]*scripted.Handshake, []time.Duration) {
	handshakes := make([]*scripted.Handshake, len(clients))
	delays := make([]time.Duration, len(clients))
	for i, c := range clients {
		handshakes[i] = c.Knock()
		delays[i] = handshakes[i].At.Sub(since)
	}
	return handshakes, delays
}

var retries = []stage.Scenario{
	{
		Name:   "a-crowd-comes-back-spread",
		Checks: "Wait a random time between 0 and a bound, from the first try on: clients that lost a server at one moment must not come back at one moment.",
		Play: func(s *stage.Stage) {
			bound := 600 * time.Millisecond
			clients := make([]*stage.Client, crowd)
			conns := make([]*stage.Conn, crowd)
			for i := range clients {
				clients[i] = s.Client(stage.Options{"retry_first": 600, "retry_max": 1200})
				conns[i] = clients[i].Open("")
			}
			cut := time.Now()
			for _, conn := range conns {
				conn.Drop()
			}
			handshakes, delays := again(clients, cut)
			var told []time.Duration
			for i, c := range clients {
				if d, ok := waits(c.State("waiting")); ok {
					told = append(told, d)
					s.Check(delays[i] >= d-5*time.Millisecond, "a client says that it waits %v, and came after %v", d, delays[i])
				}
			}
			if len(told) == crowd { // exact, however busy the machine is
				spread(s, "as told", told, bound, 0)
			} else {
				spread(s, "after a cut", delays, bound, slack)
			}
			for _, h := range handshakes {
				h.Drop()
			}
		},
	},
	{
		Name:   "the-bound-grows",
		Checks: "The bound doubles with each failure, a refused handshake being one, up to a limit.",
		Play: func(s *stage.Stage) {
			clients := make([]*stage.Client, crowd)
			for i := range clients {
				clients[i] = s.Client(stage.Options{"retry_first": 100, "retry_max": 400})
				clients[i].Connect()
			}
			bounds := []time.Duration{100, 200, 400, 400}
			refused := make([]time.Time, crowd)
			for round := range len(bounds) + 1 {
				long := 0 // waits of more than half of the bound: has it grown?
				for i, c := range clients {
					h := c.Knock()
					if round > 0 {
						bound := bounds[round-1] * time.Millisecond
						waited := h.At.Sub(refused[i])
						if told, ok := waits(c.State("waiting")); ok {
							s.Check(told <= bound, "after %d failures a client says that it waits %v, the bound is %v", round, told, bound)
						}
						s.Check(waited <= bound+slack, "after %d failures a client waited %v, the bound is %v", round, waited, bound)
						if waited > bound/2 {
							long++
						}
					}
					refused[i] = time.Now()
					h.Refuse(503)
				}
				s.Check(round == 0 || long > 0, "after %d failures none of %d clients waited more than half of the bound", round, crowd)
			}
		},
	},
	{
		Name:   "the-bound-begins-anew",
		Checks: "The bound begins anew once a connection has held for a while, and not before.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 30, "retry_max": 60_000, "retry_steady": 150})
			c.Connect()
			for range 3 {
				c.Knock().Refuse(503)
			}
			conn := c.Accept()
			conn.Greet("")
			c.State("open")
			for range 7 { // each would double the bound if it did not begin anew
				conn.Idle(200 * time.Millisecond)
				conn.Drop()
				dropped := time.Now()
				h := c.Knock()
				s.Check(h.At.Sub(dropped) <= 30*time.Millisecond+slack, "after a connection that held, the client waited %v", h.At.Sub(dropped))
				conn = c.Upgrade(h)
				conn.Greet("")
			}
		},
	},
	{
		Name:   "a-short-connection-is-a-failure",
		Checks: "The bound begins anew once a connection has held for a while, and not before.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 20, "retry_max": 320, "retry_steady": 60_000})
			c.Connect()
			var dropped time.Time
			var longest time.Duration
			for i := range 14 {
				h := c.Knock()
				if i > 5 {
					longest = max(longest, h.At.Sub(dropped))
				}
				conn := c.Upgrade(h)
				conn.Greet("")
				c.State("open")
				dropped = time.Now()
				conn.Drop()
			}
			s.Check(longest > 80*time.Millisecond, "after many short connections the client waits at most %v", longest)
		},
	},
	{
		Name:   "drain-and-1012",
		Checks: "If the close comes sooner than the slot that finch.drain gave, still wait for the slot.",
		Play: func(s *stage.Stage) {
			for _, end := range []func(*stage.Conn){
				func(conn *stage.Conn) { conn.Close(protocol.CloseDrain, "drain") },
				func(conn *stage.Conn) { conn.Drop() },
			} {
				c := s.Client(stage.Options{"retry_first": 20_000, "retry_max": 20_000})
				conn := c.Open("")
				conn.Event("finch.drain", `{"delay":400}`)
				given := time.Now()
				c.Do("send", stage.Command{"path": "sync", "data": nil})
				conn.Expect("sync")
				end(conn)
				c.State("waiting")
				h := c.Knock()
				waited := h.At.Sub(given)
				s.Check(waited >= 390*time.Millisecond && waited <= 400*time.Millisecond+slack, "the slot was in 400 ms, the client came after %v", waited)
				c.Upgrade(h).Greet("")
				c.State("open")
			}
		},
	},
	{
		Name:   "drain-alone",
		Checks: "finch.drain: connect again in delay milliseconds, your own slot: close yourself then, or be closed about then.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 20_000, "retry_max": 20_000})
			conn := c.Open("")
			conn.Event("finch.drain", `{"delay":250}`)
			given := time.Now()
			c.Do("send", stage.Command{"path": "still here", "data": nil})
			conn.Expect("still here")
			code := conn.Ends()
			s.Check(code == 1000 || code == 1001 || code == 1005 || code == 1006 || code >= 3000, "the client left its connection with %d", code)
			h := c.Knock()
			waited := h.At.Sub(given)
			s.Check(waited >= 240*time.Millisecond && waited <= 250*time.Millisecond+slack, "the slot was in 250 ms, the client came after %v", waited)
			c.Upgrade(h).Greet("")
			c.State("open")
		},
	},
	{
		Name:   "a-stop-is-a-stop-while-draining",
		Checks: "What to do after a close depends on the code: 1000 stops, a slot or not.",
		Play: func(s *stage.Stage) {
			c := s.Client(nil)
			conn := c.Open("")
			conn.Event("finch.drain", `{"delay":100}`)
			conn.Close(protocol.CloseNormal, "over")
			c.State("closed")
			c.StaysAway(away)
		},
	},
	{
		Name:   "handshakes-that-go-wrong",
		Checks: "A server that refuses, says nothing sensible or hangs up is tried again.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 10, "retry_max": 20})
			c.Connect()
			for _, answer := range []string{
				"", "\r\n\r\n", "سلام\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
				"HTTP/1.1 101 Switching Protocols\r\n\r\n",
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConn",
				"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
			} {
				c.Knock().Say([]byte(answer))
			}
			for _, status := range []int{400, 404, 426, 429, 500, 503} {
				c.Knock().Refuse(status)
			}
			c.Accept().Greet("")
			c.State("open")
		},
	},
	{
		Name:   "nobody-answers",
		Checks: "Opening a connection has a time limit, finch.hello included.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"connect_timeout": 150})
			c.Connect()
			c.Knock() // and is never answered
			conn := c.Accept()
			conn.Hello() // and is never answered
			conn.Ends()
			conn = c.Accept()
			conn.Hello()
			conn.Fail(conn.Asked(), 503, "unavailable") // no welcome either
			conn.Ends()
			c.Accept().Greet("")
			c.State("open")
		},
	},
	{
		Name:   "it-breaks-at-every-step",
		Checks: "A connection may break at any moment; the client comes back.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 10, "retry_max": 20})
			c.On("notice", nil)
			c.Connect()
			c.Knock().Drop()
			c.Accept().Drop()
			conn := c.Accept()
			conn.Hello()
			conn.Drop()
			text := `{"path":"notice","status":200,"data":"half"}`
			for _, part := range [][]byte{{0x81}, {0x81, 126, 0}, append([]byte{0x81, byte(len(text))}, text[:20]...), {0x01, 1, '{'}, {0x88}, {0x88, 2, 0x03}} {
				conn = c.Accept()
				conn.Greet("")
				c.State("open")
				conn.Write(part)
				conn.Drop()
			}
			conn = c.Accept()
			conn.Greet("")
			conn.Event("notice", `"whole"`)
			c.Message("notice", `"whole"`)
		},
	},
	{
		Name:   "frames-that-break-the-rfc",
		Checks: "Frames that break RFC 6455: the connection is given up and opened again.",
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"retry_first": 10, "retry_max": 20})
			c.On("notice", nil)
			c.Connect()
			for name, frame := range map[string][]byte{
				"reserved bit":        {0xc1, 2, '{', '}'},
				"reserved opcode":     {0x83, 0},
				"masked":              {0x81, 0x82, 0, 0, 0, 0, '{', '}'},
				"not UTF-8":           {0x81, 2, 0xc3, 0x28},
				"fragmented ping":     {0x09, 0},
				"lonely continuation": {0x80, 1, '{'},
				"bad close code":      {0x88, 2, 0x03, 0xed},
			} {
				conn := c.Accept()
				conn.Greet("")
				c.State("open")
				conn.Write(frame)
				conn.Event("notice", fmt.Sprintf("%q", "behind a frame with "+name))
				conn.Ends()
				c.State("waiting")
			}
			s.Check(len(c.Seen("message")) == 0, "messages behind a broken frame reached the user: %v", c.Seen("message"))
			c.Accept().Greet("")
			c.State("open")
		},
	},
	{
		Name:   "a-dead-link-is-noticed",
		Checks: "To learn from your side that the server is gone, ask for a sign of life and give up if none comes.",
		Needs:  []string{"heartbeat"},
		Play: func(s *stage.Stage) {
			c := s.Client(stage.Options{"heartbeat": 100, "heartbeat_timeout": 100})
			conn := c.Open("")
			begun := time.Now()
			conn.Idle(500 * time.Millisecond) // it answers pings and says nothing
			conn.Deaf()
			deaf := time.Now()
			conn.Ends()
			s.Check(time.Since(deaf) <= 200*time.Millisecond+slack, "a dead link was noticed after %v", time.Since(deaf))
			s.Check(deaf.Sub(begun) >= 500*time.Millisecond, "the client gave a living connection up after %v", deaf.Sub(begun))
			r := c.State("waiting")
			s.Check(r.CloseCode() != 1000, "the state should not say that it was closed: %v", r)
			c.Accept().Greet("")
			c.State("open")
		},
	},
}
