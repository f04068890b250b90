package conn_test

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

func TestSendsOfManyGoroutinesAreWholeAndEachInItsOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		r := s.serve(t, quiet(), newOwner(t))
		const goroutines, each = 16, 60
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				for i := range each {
					text := fmt.Sprintf("%d %d %s", g, i, filler((g*each+i)%700))
					if err := r.send(text); err != nil {
						t.Errorf("goroutine %d, send %d: %v", g, i, err)
						return
					}
				}
			})
		}
		next := make([]int, goroutines)
		for range goroutines * each {
			ev := r.peer.next()
			var g, i int
			if _, err := fmt.Sscanf(string(ev.Payload), "%d %d", &g, &i); err != nil || ev.Opcode != frame.Text {
				t.Fatalf("got %v %.100q", ev.Opcode, ev.Payload)
			}
			if want := fmt.Sprintf("%d %d %s", g, i, filler((g*each+i)%700)); string(ev.Payload) != want {
				t.Fatalf("message %d of goroutine %d is not whole: %.100q", i, g, ev.Payload)
			}
			if i != next[g] {
				t.Fatalf("goroutine %d: got %d, want %d", g, i, next[g])
			}
			next[g]++
		}
		wg.Wait()
	})
}

func TestSendDoesNotBlockOnAPeerThatDoesNotRead(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 32 << 20
		r := s.serve(t, cfg, newOwner(t))
		text := filler(32 << 10)
		for range 512 { // 16 MiB: more than any kernel takes unread
			if err := r.send(text); err != nil {
				t.Fatal(err)
			}
		}
		if r.conn.Queued() == 0 {
			t.Error("nothing is queued, so nothing was proved")
		}
	})
}

func TestAFullQueueClosesTheConnectionWith1013(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 64 << 10
		r := s.serve(t, cfg, newOwner(t))
		small(r.peer.nc)
		accepted := 0
		var err error
		for err == nil {
			if err = r.send(filler(1 << 10)); err == nil {
				accepted++
			}
			if q := r.conn.Queued(); q > cfg.QueueBytes {
				t.Fatalf("%d bytes are queued, more than the bound", q)
			}
		}
		if !errors.Is(err, conn.ErrSlow) {
			t.Fatalf("Send answered %v, want ErrSlow", err)
		}
		if err := r.send("next"); !errors.Is(err, conn.ErrClosed) {
			t.Errorf("the next Send answered %v, want ErrClosed", err)
		}
		if accepted < 63 {
			t.Errorf("only %d KiB were accepted", accepted)
		}
		if n := r.meter.Slow.Load(); n != 1 {
			t.Errorf("%d slow connections were counted", n)
		}
		r.own.expect("closing")
		// A peer that wakes up finds what was under way, whole, and the reason.
		got := 0
		for {
			ev := r.peer.next()
			if ev.Opcode == frame.Close {
				if ev.Code != 1013 {
					t.Errorf("closed with %d", ev.Code)
				}
				break
			}
			got++
		}
		if dropped := int(r.meter.Dropped.Load()); got+dropped != accepted+1 {
			t.Errorf("of %d frames %d arrived and %d were counted as dropped", accepted+1, got, dropped)
		}
		r.peer.close(1013, "")
		if why := r.own.closed(); why.Code != 1013 {
			t.Errorf("closed with %+v", why)
		}
	})
}

func TestAFrameThatCouldNeverFitIsRefusedAndTheConnectionLives(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 1 << 10
		r := s.serve(t, cfg, newOwner(t))
		if err := r.send(filler(2 << 10)); !errors.Is(err, conn.ErrTooLarge) {
			t.Errorf("Send answered %v, want ErrTooLarge", err)
		}
		if n := r.meter.Dropped.Load(); n != 1 {
			t.Errorf("%d frames were counted as dropped", n)
		}
		if err := r.send("fits"); err != nil {
			t.Error(err)
		}
		r.peer.expectText("fits")
	})
}

func TestASlowButSteadyReaderLosesNothing(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 16 << 20
		cfg.WriteWait = 500 * time.Millisecond
		r := s.serve(t, cfg, newOwner(t))
		r.send(filler(2 << 20))
		start := time.Now()
		for n := 0; n < 2<<20; { // 64 KiB in 0.4 s
			time.Sleep(25 * time.Millisecond)
			k, err := r.peer.nc.Read(r.peer.buf[:])
			if err != nil {
				t.Fatalf("after %d bytes: %v", n, err)
			}
			n += k
		}
		if took := time.Since(start); took < 10*cfg.WriteWait {
			t.Errorf("it took %v, so nothing was proved", took)
		}
	})
}

func TestPushTakesFramesOnlyWhileNothingIsQueued(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, quiet(), newOwner(t))
		push := func(texts ...string) bool {
			var pieces [][]byte
			for _, text := range texts {
				b := frame.AppendFrame(nil, frame.Text, []byte(text))
				pieces = append(pieces, b[:1], b[1:])
			}
			return r.conn.Push(pieces)
		}
		if !push("one", "two") {
			t.Fatal("an idle connection took nothing")
		}
		synctest.Wait()
		if push("refused") {
			t.Fatal("a busy connection took more")
		}
		if n := r.own.writable.Load(); n != 0 {
			t.Errorf("Writable was called %d times while it was not", n)
		}
		r.peer.expectText("one")
		r.peer.expectText("two")
		synctest.Wait()
		if n := r.own.writable.Load(); n != 1 {
			t.Errorf("Writable was called %d times", n)
		}
		if !push("three") {
			t.Error("a connection that is writable took nothing")
		}
		r.peer.expectText("three")
		synctest.Wait()
		if n := r.own.writable.Load(); n != 1 {
			t.Errorf("nothing was refused, and Writable was called again: %d times", n)
		}
		r.conn.Close(1000, "")
		if !push("late") {
			t.Error("a closing connection has to swallow what it is given")
		}
		r.peer.expectClose(1000)
	})
}

func TestPongsDoNotPileUpForAPeerThatDoesNotRead(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 4 << 10
		r := s.serve(t, cfg, newOwner(t))
		ping := masked(frame.Ping, filler(125))
		for range 1000 {
			r.peer.write(ping)
			if q := r.conn.Queued(); q > cfg.QueueBytes {
				t.Fatalf("%d bytes are queued", q)
			}
		}
		r.peer.text("still served")
		r.own.expect("text still served")
	})
}

// politeCloser says goodbye when it is closed, as TLS does, to a peer that
// may not read.
type politeCloser struct{ net.Conn }

func (c politeCloser) NetConn() net.Conn { return c.Conn }

func (c politeCloser) Close() error {
	time.Sleep(5 * time.Second)
	return c.Conn.Close()
}

func TestAbortDoesNotWaitForAGoodbye(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		pair := s.pair
		s.pair = func(t *testing.T) (net.Conn, net.Conn) {
			server, client := pair(t)
			return politeCloser{server}, client
		}
		r := s.serve(t, quiet(), newOwner(t))
		start := time.Now()
		r.conn.Abort()
		if took := time.Since(start); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAFullQueueSparesTheAnswerToTheHandshake(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 1 << 10
		r := s.prepare(t, cfg, newOwner(t), frame.AppendFrame(nil, frame.Text, []byte("the answer")))
		var err error
		for err == nil {
			err = r.send(filler(100))
		}
		if !errors.Is(err, conn.ErrSlow) {
			t.Errorf("Send answered %v", err)
		}
		r.conn.Start(nil)
		r.peer.expectText("the answer")
		r.peer.expectClose(1013)
	})
}

func TestFinishTakesWhatPushAndSendWouldRefuse(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		cfg := quiet()
		cfg.QueueBytes = 1 << 10
		r := s.prepare(t, cfg, newOwner(t), nil)
		r.send(filler(500)) // before Start: queued behind nothing
		var pieces [][]byte
		for range 10 {
			pieces = append(pieces, frame.AppendFrame(nil, frame.Text, []byte(filler(501))))
		}
		r.conn.Finish(pieces)
		r.conn.Start(nil)
		r.conn.Close(4000, "enough")
		r.conn.Finish(pieces) // too late: nothing follows a close frame
		r.peer.expectText(filler(500))
		for range 10 {
			r.peer.expectText(filler(501))
		}
		r.peer.expectClose(4000)
	})
}
