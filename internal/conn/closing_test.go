package conn_test

import (
	"errors"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// end is one way in which a connection can end.
type end struct {
	name  string
	cfg   conn.Config
	end   func(r *rig)
	code  int
	clean bool
}

// ends are all the ways in which a connection can end: what ends it, while a
// handler may be running, and what Closed says.
var ends = []end{
	{name: "the peer closes", code: 4001, clean: true, end: func(r *rig) {
		r.peer.close(4001, "bye")
		go r.peer.discard()
	}},
	{name: "we close", code: 4002, clean: true, end: func(r *rig) {
		r.conn.Close(4002, "bye")
		r.peer.expectClose(4002)
		r.peer.close(4002, "")
	}},
	{name: "both close", code: 4002, clean: true, end: func(r *rig) {
		r.conn.Close(4002, "bye")
		r.peer.close(4001, "")
		r.peer.expectClose(4002)
	}},
	{name: "we abort", code: 1006, end: func(r *rig) { r.conn.Abort() }},
	{name: "a broken frame", code: 1002, end: func(r *rig) {
		r.peer.write([]byte{0xff, 0xff})
		go r.peer.discard()
	}},
	{name: "the peer vanishes", code: 1006, end: func(r *rig) { r.peer.nc.Close() }},
	{name: "the peer does not answer our close", code: 4002, cfg: conn.Config{CloseWait: 20 * time.Millisecond}, end: func(r *rig) {
		r.conn.Close(4002, "bye")
		go r.peer.discard()
	}},
	{name: "no heartbeat", code: 4408, cfg: conn.Config{Heartbeat: 20 * time.Millisecond, PongWait: 20 * time.Millisecond, CloseWait: 20 * time.Millisecond}, end: func(r *rig) {
		go r.peer.discard()
	}},
	{name: "a slow reader", code: 1013, cfg: conn.Config{QueueBytes: 1 << 10, WriteWait: 20 * time.Millisecond, CloseWait: 20 * time.Millisecond}, end: func(r *rig) {
		for r.conn.Send(frame.AppendFrame(nil, frame.Text, []byte(filler(1000)))) == nil {
		}
	}},
	{name: "a peer that takes no byte", code: 1006, cfg: conn.Config{QueueBytes: 64 << 20, WriteWait: 20 * time.Millisecond, CloseWait: 20 * time.Millisecond}, end: func(r *rig) {
		r.conn.Send(frame.AppendFrame(nil, frame.Binary, make([]byte, 12<<20)))
	}},
	{name: "drained", code: 1001, clean: true, end: func(r *rig) {
		r.conn.Drain(1001, "later")
		go func() {
			r.peer.read()
			r.peer.close(1001, "")
		}()
	}},
}

func TestHoweverItEndsClosedComesOnce(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				r := s.serve(t, e.config(), newOwner(t))
				e.end(r)
				e.check(t, r.own.closed())
			})
		})
	}
}

func TestClosedWaitsForTheHandlerThatRuns(t *testing.T) {
	for _, e := range ends {
		t.Run(e.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				own := newOwner(t)
				hold := make(chan struct{})
				returned := false // only the executor touches it, and who has seen Closed
				own.onReceived = func(frame.Opcode, []byte) { <-hold; returned = true }
				r := s.serve(t, e.config(), own)
				r.peer.text("block")
				own.expect("text block")
				ended := make(chan struct{})
				go func() { e.end(r); close(ended) }()
				// What ends it must not need the handler, but for the ways that
				// wait for it by their nature.
				if s.bubble {
					time.Sleep(time.Minute) // costs nothing
				}
				if slices.ContainsFunc(own.lines(), isClosed) {
					t.Errorf("Closed came while the handler ran: %q", own.lines())
				}
				close(hold)
				own.closed()
				<-ended
				if !returned {
					t.Error("Closed came before the handler had returned")
				}
			})
		})
	}
}

func (e *end) config() conn.Config {
	cfg := e.cfg
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = -1
	}
	return cfg
}

func (e *end) check(t *testing.T, why conn.Close) {
	t.Helper()
	if why.Code != e.code || why.Clean != e.clean {
		t.Errorf("closed with %+v, want code %d, clean %v", why, e.code, e.clean)
	}
}

func TestWhatCameBeforeThePeersCloseIsAnsweredBeforeTheEcho(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		own.onReceived = func(op frame.Opcode, payload []byte) { own.c.Send(frame.AppendFrame(nil, op, payload)) }
		r := s.serve(t, quiet(), own)
		r.peer.write(slices.Concat(masked(frame.Text, "one"), masked(frame.Text, "two"), maskedClose(4321, "done"), masked(frame.Text, "too late")))
		r.peer.expectText("one")
		r.peer.expectText("two")
		r.peer.expectClose(4321)
		if why := own.closed(); why != (conn.Close{Code: 4321, Reason: "done", Clean: true}) {
			t.Errorf("closed with %+v", why)
		}
		if slices.Contains(own.lines(), "text too late") {
			t.Error("a message behind the peer's close frame was handled")
		}
	})
}

func TestWhatAPeerSentBeforeItVanishedIsHandled(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onOpened = func() { <-hold }
		r := s.prepare(t, quiet(), own, nil)
		r.conn.Start(nil)
		r.peer.text("one")
		r.peer.text("two")
		r.peer.nc.Close()
		close(hold)
		own.closed()
		if got := own.turns(); !slices.Equal(got, []string{"opened", "text one", "text two", "closed 1006"}) {
			t.Errorf("callbacks: %q", got)
		}
	})
}

func TestAPeerThatSaidGoodbyeAndVanishedClosedWithItsCode(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		r := s.serve(t, quiet(), own)
		r.peer.text("block")
		own.expect("text block")
		r.peer.close(4001, "bye")
		own.expectDeaf(conn.ErrClosed)
		if err := r.conn.Deaf(); !errors.Is(err, conn.ErrClosed) {
			t.Errorf("behind the peer's close it says %v", err)
		}
		r.peer.nc.Close()
		close(hold)
		why := own.closed()
		if why.Code != 4001 || why.Reason != "bye" {
			t.Errorf("closed with %+v", why)
		}
		if s.bubble && why.Clean { // elsewhere the kernel has taken the echo
			t.Error("it was clean though the echo went nowhere")
		}
	})
}

func TestNothingIsAwaitedOfAPeerThatBrokeTheProtocol(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, quiet(), newOwner(t))
		start := time.Now()
		r.peer.write([]byte{0xff, 0xff})
		r.peer.expectClose(1002)
		r.own.closed()
		if took := time.Since(start); took > 0 {
			t.Errorf("Closed came after %v", took)
		}
	})
}

func TestCloseCodesTravel(t *testing.T) {
	rows := []struct {
		name        string
		code        int
		reason      string
		travels     int
		ownersCode  int
		ownerReason string
	}{
		{"a code and a reason", 4321, "خدا نگهدار", 4321, 4321, "خدا نگهدار"},
		{"a normal close", 1000, "", 1000, 1000, ""},
		{"no code", 0, "", 1005, 1005, ""},
		{"1005", 1005, "", 1005, 1005, ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				r := s.serve(t, quiet(), newOwner(t))
				if err := r.conn.Close(row.code, row.reason); err != nil {
					t.Fatal(err)
				}
				if err := r.conn.Close(1000, "again"); err != conn.ErrClosed {
					t.Errorf("a second Close answered %v", err)
				}
				if err := r.send("late"); err != conn.ErrClosed {
					t.Errorf("Send after Close answered %v", err)
				}
				if reason := r.peer.expectClose(row.travels); reason != row.reason {
					t.Errorf("the reason has become %q", reason)
				}
				r.peer.close(1000, "")
				if why := r.own.closed(); why != (conn.Close{Code: row.ownersCode, Reason: row.ownerReason, Clean: true}) {
					t.Errorf("closed with %+v", why)
				}
			})
		})
		t.Run(row.name+" of the peer", func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				r := s.serve(t, quiet(), newOwner(t))
				r.peer.close(row.code, row.reason)
				r.peer.expectClose(row.travels)
				if why := r.own.closed(); why != (conn.Close{Code: row.ownersCode, Reason: row.ownerReason, Clean: true}) {
					t.Errorf("closed with %+v", why)
				}
			})
		})
	}
}

func TestAPeerThatHalfClosesStillGetsItsAnswers(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(op frame.Opcode, payload []byte) {
			<-hold
			own.c.Send(frame.AppendFrame(nil, op, payload))
		}
		r := s.serve(t, quiet(), own)
		half, ok := r.peer.nc.(interface{ CloseWrite() error })
		if !ok {
			return // a pipe has no halves
		}
		r.peer.write(append(masked(frame.Text, "last words"), maskedClose(1000, "")...))
		if err := half.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		own.expect("text last words")
		close(hold)
		r.peer.expectText("last words")
		r.peer.expectClose(1000)
		r.peer.expectEnd()
		if why := own.closed(); !why.Clean {
			t.Errorf("closed with %+v", why)
		}
	})
}

// Closing while bytes of the peer lie unread makes the kernel throw away what
// it had accepted from us: the last words must not be lost to that.
func TestWhatWasSentBeforeCloseLeavesThoughThePeerGoesOnSending(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		cfg := quiet()
		cfg.InboxMessages = 1
		r := s.serve(t, cfg, own)
		var wg sync.WaitGroup
		wg.Go(func() { // floods until the connection ends
			flood := masked(frame.Binary, filler(4000))
			for {
				r.peer.nc.SetWriteDeadline(time.Now().Add(patience))
				if _, err := r.peer.nc.Write(flood); err != nil {
					return
				}
			}
		})
		own.expect("binary of 4000 bytes")
		const frames = 60
		text := filler(10_000)
		for range frames {
			if err := r.send(text); err != nil {
				t.Fatal(err)
			}
		}
		r.conn.Close(1001, "going")
		close(hold)
		for range frames {
			r.peer.expectText(text)
		}
		r.peer.expectClose(1001)
		r.peer.nc.Close()
		wg.Wait()
	})
}

func TestCloseForgetsTheMessagesThatWait(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		r := s.serve(t, quiet(), own)
		r.peer.text("runs")
		own.expect("text runs") // before that it would be forgotten too
		r.peer.text("waits")
		r.peer.write(masked(frame.Ping, "all read"))
		if ev := r.peer.next(); ev.Opcode != frame.Pong {
			t.Fatalf("got %v", ev.Opcode)
		}
		r.conn.Close(1000, "")
		close(hold)
		r.peer.expectClose(1000)
		r.peer.close(1000, "")
		own.closed()
		if got := own.turns(); !slices.Equal(got, []string{"opened", "text runs", "closed 1000 clean"}) {
			t.Errorf("callbacks: %q", got)
		}
	})
}

func TestDrainLetsTheRunningHandlerFinish(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) {
			<-hold
			own.c.Send(frame.AppendFrame(nil, frame.Text, []byte("done")))
		}
		r := s.serve(t, quiet(), own)
		r.peer.text("work")
		r.peer.text("never handled")
		own.expect("text work")
		r.conn.Drain(1001, "shutting down")
		r.conn.Drain(1012, "again")
		if err := r.send("while draining"); err != nil {
			t.Errorf("Send while draining: %v", err)
		}
		if slices.Contains(own.lines(), "closing") {
			t.Error("Closing came while the handler ran")
		}
		close(hold)
		r.peer.expectText("while draining")
		r.peer.expectText("done")
		if reason := r.peer.expectClose(1001); reason != "shutting down" {
			t.Errorf("the reason has become %q", reason)
		}
		r.peer.close(1001, "")
		own.closed()
		if got := own.turns(); !slices.Equal(got, []string{"opened", "text work", "closed 1001 clean"}) {
			t.Errorf("callbacks: %q", got)
		}
	})
}

func TestWhatEndingSendsLeavesBeforeTheCloseFrame(t *testing.T) {
	rows := []struct {
		name string
		end  func(r *rig)
		code int
	}{
		{"the peer closes", func(r *rig) { r.peer.close(4001, "") }, 4001},
		{"drained", func(r *rig) { r.conn.Drain(1001, "") }, 1001},
		{"a broken frame", func(r *rig) { r.peer.write([]byte{0xff, 0xff}) }, 1002},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				own := newOwner(t)
				own.onEnding = func(why conn.Close) {
					if why.Code != row.code {
						t.Errorf("ending with %+v", why)
					}
					own.c.Send(frame.AppendFrame(nil, frame.Text, []byte("farewell")))
				}
				r := s.serve(t, quiet(), own)
				row.end(r)
				r.peer.expectText("farewell")
				r.peer.expectClose(row.code)
			})
		})
	}
}

func TestAConnectionMayBeEndedBeforeItIsStarted(t *testing.T) {
	rows := []struct {
		name string
		end  func(c *conn.Conn)
		code int
	}{
		{"drained", func(c *conn.Conn) { c.Drain(1001, "shutting down") }, 1001},
		{"closed", func(c *conn.Conn) { c.Close(4000, "no") }, 4000},
		{"aborted", func(c *conn.Conn) { c.Abort() }, 1006},
		{"drained and aborted", func(c *conn.Conn) { c.Drain(1001, ""); c.Abort() }, 1001},
		{"closed and aborted", func(c *conn.Conn) { c.Close(4000, ""); c.Abort() }, 4000},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				own := newOwner(t)
				r := s.prepare(t, quiet(), own, nil)
				row.end(r.conn)
				r.conn.Start(nil)
				if row.code != 1006 && !errors.Is(r.conn.Deaf(), conn.ErrClosed) {
					t.Error("it listens")
				}
				go func() {
					r.peer.read()
					r.peer.nc.Close()
				}()
				if why := own.closed(); why.Code != row.code {
					t.Errorf("closed with %+v", why)
				}
			})
		})
	}
}

func TestClosedNeverOvertakesClosing(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onClosing = func() { <-hold }
		r := s.serve(t, quiet(), own)
		go r.conn.Close(1000, "")
		r.peer.expectClose(1000)
		r.peer.nc.Close()
		time.Sleep(time.Minute) // costs nothing
		if slices.ContainsFunc(own.lines(), isClosed) {
			t.Error("Closed came while Closing ran")
		}
		close(hold)
		own.closed()
	})
}

func TestAPeerCannotHoldAFinishedConnection(t *testing.T) {
	rows := []struct {
		name   string
		begin  func(r *rig)
		insist []byte
	}{
		{"behind a broken frame", func(r *rig) { r.peer.write([]byte{0xff, 0xff}) }, []byte{0}},
		{"behind its close", func(r *rig) { r.peer.close(1000, "") }, masked(frame.Text, "more")},
		{"behind our close", func(r *rig) { r.conn.Close(1000, "") }, masked(frame.Text, "more")},
		{"with pings", func(r *rig) { r.conn.Close(1000, "") }, masked(frame.Ping, "")},
		{"with closes", func(r *rig) { r.conn.Close(1000, "") }, maskedClose(1000, "")},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				cfg := quiet()
				cfg.CloseWait = 50 * time.Millisecond
				r := s.serve(t, cfg, newOwner(t))
				row.begin(r)
				go r.peer.discard()
				for start := time.Now(); ; time.Sleep(10 * time.Millisecond) { // a peer's pace, not a wait
					r.peer.nc.SetWriteDeadline(time.Now().Add(patience))
					if _, err := r.peer.nc.Write(row.insist); err != nil {
						break // cut off
					}
					if time.Since(start) > 10*time.Second {
						t.Fatal("the connection is still read")
					}
				}
			})
		})
	}
}

// brokenWriter is a connection that cannot be written to any more but still
// waits for input: how a network fails in one direction.
type brokenWriter struct{ net.Conn }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestAWriteErrorEndsTheConnectionForGood(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		pair := s.pair
		s.pair = func(t *testing.T) (net.Conn, net.Conn) {
			server, client := pair(t)
			return brokenWriter{server}, client
		}
		r := s.serve(t, quiet(), newOwner(t))
		r.send("never arrives")
		if why := r.own.closed(); why.Code != 1006 || why.Clean {
			t.Errorf("closed with %+v", why)
		}
		r.peer.expectEnd()
	})
}

// TestThePeerSeesTheEndAtOnce gives every wait of the closing handshake longer
// than the test has: none of them may be needed when the peer does its part.
func TestThePeerSeesTheEndAtOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		for _, ours := range []bool{true, false} {
			r := s.serve(t, conn.Config{Heartbeat: -1, CloseWait: 3 * patience}, newOwner(t))
			if ours {
				r.conn.Close(1000, "")
				r.peer.expectClose(1000)
			}
			r.peer.close(1000, "")
			if !ours {
				r.peer.expectClose(1000)
			}
			r.peer.expectEnd()
			if why := r.own.closed(); !why.Clean {
				t.Errorf("closed with %+v", why)
			}
		}
	})
}
