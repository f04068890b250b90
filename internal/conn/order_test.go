package conn_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

func TestCallbacksComeInOrderAndOneAtATime(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onOpened = func() {
			own.c.Send(frame.AppendFrame(nil, frame.Text, []byte("welcome")))
			<-hold
		}
		r := s.serve(t, quiet(), own)
		r.peer.expectText("welcome")
		var sent []byte
		want := []string{"opened"}
		for i := range 50 {
			text := fmt.Sprint("m", i)
			sent = append(sent, masked(frame.Text, text)...)
			want = append(want, "text "+text)
		}
		sent = append(sent, masked(frame.Binary, "bytes")...)
		sent = append(sent, maskedClose(1000, "bye")...)
		r.peer.write(sent)
		want = append(want, "binary bytes", "closed 1000 clean")
		if got := own.lines(); len(got) != 1 {
			t.Errorf("callbacks came while Opened ran: %q", got)
		}
		close(hold)
		r.peer.expectClose(1000)
		own.closed()
		if got := own.turns(); !slices.Equal(got, want) {
			t.Errorf("callbacks:\n%q, want\n%q", got, want)
		}
	})
}

func TestEarlyBytesBehindTheHandshakeAreHandled(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		r := s.prepare(t, quiet(), own, nil)
		split := masked(frame.Text, "split")
		r.conn.Start(append(masked(frame.Text, "early"), split[:4]...))
		own.expect("text early")
		r.peer.write(split[4:])
		own.expect("text split")
	})
}

func TestTheAnswerToTheHandshakeLeavesBeforeWhatWasSentBeforeStart(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		r := s.prepare(t, quiet(), own, frame.AppendFrame(nil, frame.Text, []byte("the answer")))
		if err := r.send("queued"); err != nil {
			t.Fatal(err)
		}
		if own.lines() != nil {
			t.Errorf("callbacks came before Start: %q", own.lines())
		}
		r.conn.Start(nil)
		r.peer.expectText("the answer")
		r.peer.expectText("queued")
	})
}

func TestEarlyOvertakesTheHandlerThatWaits(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		answer := make(chan string, 1)
		own.onEarly = func(op frame.Opcode, payload []byte) bool {
			if !strings.HasPrefix(string(payload), "answer") {
				return false
			}
			answer <- string(payload)
			return true
		}
		own.onReceived = func(op frame.Opcode, payload []byte) {
			if string(payload) == "question" {
				own.c.Send(frame.AppendFrame(nil, frame.Text, []byte(<-answer)))
			}
		}
		r := s.serve(t, quiet(), own)
		r.peer.text("question")
		r.peer.text("waits")
		r.peer.text("answer 42")
		r.peer.expectText("answer 42")
		own.expect("text waits")
		if slices.Contains(own.lines(), "text answer 42") {
			t.Error("what Early took was handed out again")
		}
	})
}

func TestThePayloadIsTheOwnersToKeep(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		var kept [][]byte
		own.onReceived = func(op frame.Opcode, payload []byte) { kept = append(kept, payload) }
		r := s.serve(t, quiet(), own)
		for i := range 20 {
			r.peer.text(fmt.Sprint("message ", i))
		}
		r.peer.close(1000, "")
		r.peer.expectClose(1000)
		own.closed()
		for i, k := range kept {
			if want := fmt.Sprint("message ", i); string(k) != want {
				t.Errorf("message %d has become %q", i, k)
			}
		}
	})
}

func TestFragmentsAreOneMessage(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		r := s.serve(t, quiet(), own)
		fragment := func(fin bool, op frame.Opcode, text string) []byte {
			b := masked(op, text)
			if !fin {
				b[0] &^= 0x80
			}
			return b
		}
		r.peer.write(fragment(false, frame.Text, "سلا"))
		r.peer.write(masked(frame.Ping, "between"))
		if ev := r.peer.next(); ev.Opcode != frame.Pong || string(ev.Payload) != "between" {
			t.Fatalf("got %v %q", ev.Opcode, ev.Payload)
		}
		for _, b := range fragment(true, frame.Continuation, "م") { // byte by byte
			r.peer.write([]byte{b})
		}
		own.expect("text سلام")
	})
}

func TestPingsAreAnsweredWhileAHandlerBlocks(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		r := s.serve(t, quiet(), own)
		r.peer.text("block")
		own.expect("text block")
		for i := range 3 {
			ping := fmt.Sprint("ping ", i)
			r.peer.write(masked(frame.Ping, ping))
			if ev := r.peer.next(); ev.Opcode != frame.Pong || string(ev.Payload) != ping {
				t.Fatalf("got %v %q", ev.Opcode, ev.Payload)
			}
		}
		close(hold)
	})
}

func TestMetersCountWhatPassed(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		r := s.serve(t, quiet(), own)
		for range 3 {
			r.peer.text("in")
		}
		own.await("three messages", func() bool { return len(own.diary) == 4 })
		r.send("out")
		r.send("out")
		r.peer.expectText("out")
		r.peer.expectText("out")
		if in, out := r.meter.Received.Load(), r.meter.Sent.Load(); in != 3 || out != 2 {
			t.Errorf("counted %d received and %d sent, want 3 and 2", in, out)
		}
	})
}

func TestDeafSaysWhetherAnAnswerCouldBeRead(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		r := s.serve(t, quiet(), own)
		if err := r.conn.Deaf(); err != nil {
			t.Errorf("an open connection is deaf: %v", err)
		}
		r.conn.Close(1000, "")
		if err := r.conn.Deaf(); err != conn.ErrClosed {
			t.Errorf("a closed connection says %v", err)
		}
	})
}
