package conn_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// deflating is a quiet config of connections that agreed on compression.
func deflating() conn.Config {
	cfg := quiet()
	cfg.Frame.Deflate = true
	cfg.Frame.MaxMessage = 1000
	return cfg
}

var deflater = frame.NewDeflater(1)

// compressed is a client's message, masked and with RSV1 set; payload is what
// travels, compressed already.
func compressed(op frame.Opcode, payload string) []byte {
	b := masked(op, payload)
	b[0] |= 0x40
	return b
}

// deflated compresses a message that gets smaller by it.
func deflated(message string) string {
	b := deflater.AppendFrame(nil, frame.Text, []byte(message), frame.MaxWindowBits)
	_, n, _ := frame.ParseHeader(b)
	if n == 0 {
		panic("this message does not get smaller")
	}
	return string(b[n:])
}

// waiter is an owner that may wait for an answer.
type waiter struct {
	*owner
	waits atomic.Bool
}

func (w *waiter) Waits() bool { return w.waits.Load() }

func TestCompressedMessagesAreHandledInTheirOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		var early []string
		own.onEarly = func(op frame.Opcode, payload []byte) bool {
			early = append(early, fmt.Sprintf("%v of %d", op, len(payload)))
			return strings.HasPrefix(string(payload), "taken")
		}
		r := s.serve(t, deflating(), own)
		long := strings.Repeat("compressed ", 20)
		b := slices.Concat(
			compressed(frame.Text, deflated(long)),
			compressed(frame.Text, deflated(strings.Repeat("taken ", 40))),
			compressed(frame.Binary, deflated(strings.Repeat("bytes ", 30))),
			compressed(frame.Text, "\x00"), // an empty message (RFC 7692 section 7.2.3.6)
		)
		// A fragmented message is compressed as one, and RSV1 is set on its first
		// fragment alone (section 6.1).
		hello := "\xf2\x48\xcd\xc9\xc9\x07\x00"
		first := compressed(frame.Text, hello[:3])
		first[0] &^= 0x80
		b = append(b, first...)
		b = append(b, masked(frame.Continuation, hello[3:])...)
		r.peer.write(append(b, maskedClose(1000, "")...))
		r.peer.expectClose(1000)
		own.closed()
		want := []string{"opened", "text of 220 bytes", "binary of 180 bytes", "text ", "text Hello", "closed 1000 clean"}
		if got := own.turns(); !slices.Equal(got, want) {
			t.Errorf("callbacks:\n%q, want\n%q", got, want)
		}
		if want := []string{"text of 220", "text of 240", "binary of 180", "text of 0", "text of 5"}; !slices.Equal(early, want) {
			t.Errorf("Early saw %q, want %q", early, want)
		}
	})
}

func TestABrokenCompressedMessageGetsItsCloseCode(t *testing.T) {
	for _, row := range []struct {
		name    string
		code    int
		op      frame.Opcode
		payload string
	}{
		{"what is no deflate", 1007, frame.Binary, "\x06"},
		{"text that is not UTF-8 once it is inflated", 1007, frame.Text, "\x00\x01\x00\xfe\xff\xff\x00"},
		{"a bomb", 1009, frame.Binary, deflated(filler(1001))},
	} {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				for _, waits := range []bool{false, true} {
					own := &waiter{owner: newOwner(t)}
					own.waits.Store(waits)
					own.onReceived = func(op frame.Opcode, payload []byte) { own.c.Send(frame.AppendFrame(nil, op, payload)) }
					own.onEnding = func(why conn.Close) {
						own.c.Send(frame.AppendFrame(nil, frame.Text, fmt.Append(nil, "because ", why.Code)))
					}
					r := own.serve(s, t, deflating())
					r.peer.write(slices.Concat(masked(frame.Text, "good"), compressed(row.op, row.payload), masked(frame.Text, "too late"), compressed(frame.Text, deflated(filler(200)))))
					r.peer.expectText("good")
					r.peer.expectText(fmt.Sprint("because ", row.code))
					if reason := r.peer.expectClose(row.code); reason == "" {
						t.Error("the close frame has no reason")
					}
					r.peer.nc.Close()
					if why := own.closed(); why.Code != row.code || why.Clean {
						t.Errorf("closed with %+v, want %d", why, row.code)
					}
					want := []string{"opened", "text good", fmt.Sprint("failing ", row.code), fmt.Sprint("closed ", row.code)}
					if got := own.turns(); !slices.Equal(got, want) {
						t.Errorf("waits %v: callbacks:\n%q, want\n%q", waits, got, want)
					}
				}
			})
		})
	}
}

// serve is setup.serve for an owner that may wait.
func (w *waiter) serve(s setup, t *testing.T, cfg conn.Config) *rig {
	server, client := s.pair(t)
	r := &rig{t: t, own: w.owner, meter: new(conn.Meter), peer: &peer{t: t, nc: client}}
	cfg.Meter = r.meter
	r.conn = s.engine.New(server, nil, cfg.Ready(), w)
	w.c = r.conn
	t.Cleanup(r.end)
	r.conn.Start(nil)
	w.expect("opened")
	return r
}

func TestAnAnswerIsInflatedEarlyOnlyWhileSomebodyWaits(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := &waiter{owner: newOwner(t)}
		answered := make(chan string, 1)
		own.onEarly = func(op frame.Opcode, payload []byte) bool {
			if strings.HasPrefix(string(payload), "answer") {
				answered <- string(payload)
				return true
			}
			return false
		}
		asked := make(chan struct{})
		own.onReceived = func(op frame.Opcode, payload []byte) {
			if string(payload) != "ask" {
				return
			}
			own.waits.Store(true)
			close(asked)
			select {
			case <-answered:
			case <-time.After(patience):
				t.Error("the answer did not overtake the handler that waits for it")
			}
			own.waits.Store(false)
		}
		r := own.serve(s, t, deflating())
		r.peer.text("ask")
		<-asked
		other := strings.Repeat("other ", 30)
		r.peer.write(compressed(frame.Text, deflated(other)))
		r.peer.write(compressed(frame.Text, deflated(strings.Repeat("answer ", 30))))
		own.expect("text of 180 bytes")
		r.peer.close(1000, "")
		r.peer.expectClose(1000)
		own.closed()
		if got, want := own.turns(), []string{"opened", "text ask", "text of 180 bytes", "closed 1000 clean"}; !slices.Equal(got, want) {
			t.Errorf("callbacks:\n%q, want\n%q", got, want)
		}
	})
}

// The reader is shared with the neighbours: what is expensive about a message
// waits for its turn on the executor, faults included.
func TestTheReaderDoesNotInflate(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(op frame.Opcode, payload []byte) { <-hold }
		var inflated atomic.Int32
		own.onEarly = func(op frame.Opcode, payload []byte) bool {
			if len(payload) == 200 {
				inflated.Add(1)
			}
			return false
		}
		r := s.serve(t, deflating(), own)
		r.peer.text("slow")
		own.expect("text slow")
		r.peer.write(compressed(frame.Text, deflated(filler(200))))
		r.peer.write(compressed(frame.Binary, "\x06"))
		r.peer.write(masked(frame.Ping, "still here")) // read behind it, and answered
		if ev := r.peer.next(); ev.Opcode != frame.Pong {
			t.Fatalf("the client got %v, want a pong", ev.Opcode)
		}
		if n := inflated.Load(); n != 0 {
			t.Error("a message was inflated while the handler of another ran")
		}
		close(hold)
		r.peer.expectClose(1007)
		if n := inflated.Load(); n != 1 {
			t.Errorf("the message was inflated %d times", n)
		}
	})
}
