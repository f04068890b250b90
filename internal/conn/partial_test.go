package conn_test

import (
	"sync"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

func TestAFrameMustBeFinishedInTime(t *testing.T) {
	fragment := frame.AppendHeader(nil, frame.Header{Opcode: frame.Text, Masked: true, Length: 0})
	rows := []struct {
		name  string
		bytes []byte
	}{
		{"half a header", masked(frame.Text, "hello")[:1]},
		{"half a payload", masked(frame.Text, "hello")[:8]},
		{"half a ping", masked(frame.Ping, "hello")[:8]},
		{"a fragment without an end", fragment},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				const wait = 60 * time.Millisecond
				cfg := quiet()
				cfg.PartialWait = wait
				r := s.serve(t, cfg, newOwner(t))
				r.peer.text("whole")
				start := time.Now()
				r.peer.write(row.bytes)
				if reason := r.peer.expectClose(1008); reason != "frame not finished in time" {
					t.Errorf("the reason is %q", reason)
				}
				if d := time.Since(start); d < wait || s.bubble && d != wait {
					t.Errorf("closed after %v", d)
				}
				r.peer.nc.Close()
				if why := r.own.closed(); why.Code != 1008 {
					t.Errorf("closed with %+v", why)
				}
			})
		})
	}
}

// TestBytesNowAndThenDoNotKeepAFrameOpen is a slow loris: each byte is a sign
// of life, but the frame makes no headway to speak of.
func TestBytesNowAndThenDoNotKeepAFrameOpen(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, conn.Config{}, newOwner(t))
		start := time.Now()
		var writing sync.WaitGroup
		defer writing.Wait()
		writing.Go(func() {
			for _, b := range masked(frame.Binary, filler(100)) {
				if _, err := r.peer.nc.Write([]byte{b}); err != nil {
					return
				}
				time.Sleep(10 * time.Second)
			}
		})
		r.peer.wait = time.Hour
		r.peer.expectClose(1008)
		if d := time.Since(start); d != 30*time.Second {
			t.Errorf("closed after %v", d)
		}
		r.peer.nc.Close()
	})
}

func TestALargeFrameHasASecondMoreForEvery16KiB(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, conn.Config{}, newOwner(t))
		big := masked(frame.Binary, filler(1<<20))
		for len(big) > 0 { // about 20 KiB/s, for 52 seconds
			n := min(len(big), 20<<10)
			r.peer.write(big[:n])
			big = big[n:]
			time.Sleep(time.Second)
		}
		r.own.expect("binary of 1048576 bytes")
	})
}

func TestWholeFramesMayComeAtAnyPace(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		r := s.serve(t, conn.Config{Heartbeat: -1}, newOwner(t))
		r.peer.write(masked(frame.Text, "one")[:3])
		time.Sleep(29 * time.Second)
		r.peer.write(masked(frame.Text, "one")[3:])
		time.Sleep(29 * time.Second)
		r.peer.write(masked(frame.Text, "two")[:3]) // a new frame, a new wait
		time.Sleep(29 * time.Second)
		r.peer.write(masked(frame.Text, "two")[3:])
		r.own.expect("text two")
		time.Sleep(time.Hour)
		r.peer.text("three")
		r.own.expect("text three")
	})
}

// TestOurOwnPauseDoesNotCountAgainstAFrame pauses reading in the middle of a
// frame for longer than it may take.
func TestOurOwnPauseDoesNotCountAgainstAFrame(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		const wait = 60 * time.Millisecond
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		cfg := quiet()
		cfg.InboxMessages, cfg.PartialWait = 1, wait
		r := s.serve(t, cfg, own)
		r.peer.text("handled for long")
		r.own.expect("text handled for long")
		two := append(masked(frame.Text, "waits"), masked(frame.Text, "begun")...)
		r.peer.write(two[:len(two)-3])
		r.own.expectDeaf(conn.ErrInboxFull)
		time.Sleep(2 * wait)
		close(hold)
		r.own.expect("text waits")
		r.peer.write(two[len(two)-3:])
		r.own.expect("text begun")
	})
}
