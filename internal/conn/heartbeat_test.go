package conn_test

import (
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

func TestASilentPeerIsPingedAndThenClosedWith4408(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		const beat, wait = 100 * time.Millisecond, 50 * time.Millisecond
		start := time.Now()
		r := s.serve(t, conn.Config{Heartbeat: beat, PongWait: wait}, newOwner(t))
		if ev := r.peer.next(); ev.Opcode != frame.Ping {
			t.Fatalf("got %v", ev.Opcode)
		}
		pinged := time.Since(start)
		r.peer.expectClose(4408)
		closed := time.Since(start)
		if pinged < beat || closed < beat+wait {
			t.Errorf("pinged after %v, closed after %v: too early", pinged, closed)
		}
		if s.bubble && (pinged != beat || closed != beat+wait) {
			t.Errorf("pinged after %v, closed after %v", pinged, closed)
		}
		r.peer.nc.Close()
		if why := r.own.closed(); why.Code != 4408 || why.Clean {
			t.Errorf("closed with %+v", why)
		}
	})
}

func TestAPeerThatAnswersPingsLives(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		cfg, beats := conn.Config{Heartbeat: 20 * time.Millisecond, PongWait: 10 * time.Second}, 5
		if s.bubble {
			cfg, beats = conn.Config{}, 1000 // the defaults, for hours
		}
		r := s.serve(t, cfg, newOwner(t))
		r.peer.wait = time.Minute
		start := time.Now()
		for range beats {
			ev := r.peer.next()
			if ev.Opcode != frame.Ping {
				t.Fatalf("after %v: got %v %d", time.Since(start), ev.Opcode, ev.Code)
			}
			r.peer.write(masked(frame.Pong, string(ev.Payload)))
		}
		if lived := time.Since(start); s.bubble && lived < 6*time.Hour {
			t.Errorf("it was pinged %d times in %v", beats, lived)
		}
		r.peer.text("alive")
		r.own.expect("text alive")
	})
}

func TestAHeartbeatShorterThanThePongWaitKeepsBoth(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		const beat, wait = 5 * time.Second, 20 * time.Second
		r := s.serve(t, conn.Config{Heartbeat: beat, PongWait: wait}, newOwner(t))
		answered := time.Now()
		for i := range 10 {
			if ev := r.peer.next(); ev.Opcode != frame.Ping {
				t.Fatalf("ping %d: got %v %d", i, ev.Opcode, ev.Code)
			}
			if d := time.Since(answered); d != beat {
				t.Errorf("ping %d came after %v of silence", i, d)
			}
			if i%2 == 1 {
				time.Sleep(wait - time.Second) // late, but not too late
			}
			r.peer.write(masked(frame.Pong, ""))
			answered = time.Now()
		}
	})
}

func TestAnyByteIsASignOfLife(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, conn.Config{PartialWait: 24 * time.Hour}, newOwner(t))
		r.peer.wait = 10 * time.Hour
		got := make(chan frame.Opcode, 1)
		go func() { got <- r.peer.next().Opcode }()
		for _, b := range masked(frame.Binary, filler(100)) { // a poor line, but a live one
			r.peer.write([]byte{b})
			time.Sleep(24 * time.Second)
			select {
			case op := <-got:
				t.Fatalf("a peer that was not silent got a %v", op)
			default:
			}
		}
		time.Sleep(2 * time.Second)
		if op := <-got; op != frame.Ping {
			t.Fatalf("a peer that fell silent got a %v", op)
		}
	})
}

func TestANegativeHeartbeatPingsNobody(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, conn.Config{Heartbeat: -1}, newOwner(t))
		time.Sleep(100 * time.Hour)
		r.peer.text("still here")
		r.own.expect("text still here")
		r.send("so are we")
		r.peer.expectText("so are we")
	})
}

func TestAPongDoesNotStretchTheClosingHandshake(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		const wait = 3 * time.Second
		r := s.serve(t, conn.Config{CloseWait: wait}, newOwner(t))
		r.peer.wait = time.Minute
		if ev := r.peer.next(); ev.Opcode != frame.Ping {
			t.Fatalf("got %v", ev.Opcode)
		}
		start := time.Now()
		r.conn.Close(1000, "")
		r.peer.expectClose(1000)
		r.peer.write(masked(frame.Pong, ""))
		r.own.closed()
		if took := time.Since(start); took != wait {
			t.Errorf("Closed came after %v", took)
		}
	})
}
