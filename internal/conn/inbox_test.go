package conn_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// flood writes one message after the other until the connection takes no
// more, and answers how many were begun. rest is what is left of the last.
func flood(p *peer, message func(i int) []byte) (begun int, rest []byte) {
	p.t.Helper()
	p.nc.SetWriteDeadline(time.Now().Add(time.Second))
	for ; begun < 100_000; begun++ {
		b := message(begun)
		n, err := p.nc.Write(b)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return begun + 1, b[n:]
		}
		if err != nil {
			p.t.Fatalf("the client cannot write: %v", err)
		}
	}
	p.t.Fatal("the client's writes never blocked")
	return 0, nil
}

func TestAFullInboxPausesReadingAndLosesNothing(t *testing.T) {
	rows := []struct {
		name string
		cfg  conn.Config
	}{
		{"by messages", conn.Config{InboxMessages: 8, InboxBytes: 1 << 30}},
		{"by bytes", conn.Config{InboxBytes: 8 << 10, InboxMessages: 1 << 20}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				pair := s.pair
				s.pair = func(t *testing.T) (net.Conn, net.Conn) {
					server, client := pair(t)
					small(server)
					small(client)
					return server, client
				}
				if strings.HasSuffix(s.name, "TLS") {
					return // a TLS client cannot go on after a write that timed out
				}
				cfg := row.cfg
				cfg.Heartbeat = -1
				own := newOwner(t)
				hold := make(chan struct{})
				own.onReceived = func(frame.Opcode, []byte) { <-hold }
				r := s.serve(t, cfg, own)
				text := func(i int) string { return fmt.Sprint(i, " ", filler(90)) }
				n, rest := flood(r.peer, func(i int) []byte { return masked(frame.Text, text(i)) })
				own.expectDeaf(conn.ErrInboxFull)
				if err := r.conn.Deaf(); !errors.Is(err, conn.ErrInboxFull) {
					t.Errorf("a paused connection says %v", err)
				}
				close(hold)
				r.peer.write(rest)
				r.peer.text("the last")
				own.expect("text the last")
				want := []string{"opened"}
				for i := range n {
					want = append(want, "text "+text(i))
				}
				if got := own.turns(); !slices.Equal(got, append(want, "text the last")) {
					t.Errorf("got %d callbacks, not the %d messages in their order", len(got), n+1)
				}
				if err := r.conn.Deaf(); err != nil {
					t.Errorf("it stays deaf: %v", err)
				}
			})
		})
	}
}

func TestAPausedConnectionCanBeEnded(t *testing.T) {
	rows := []struct {
		name string
		end  func(r *rig)
		code int
	}{
		{"by Close", func(r *rig) { r.conn.Close(4000, "") }, 4000},
		{"by Drain", func(r *rig) { r.conn.Drain(1001, "") }, 1001},
		{"by Abort", func(r *rig) { r.conn.Abort() }, 1006},
		{"by a stall", func(r *rig) {}, 1013},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, s setup) {
				cfg := conn.Config{InboxMessages: 1, Heartbeat: -1, CloseWait: 50 * time.Millisecond}
				if row.code == 1013 {
					cfg.StallWait = 50 * time.Millisecond
				}
				own := newOwner(t)
				hold := make(chan struct{})
				own.onReceived = func(frame.Opcode, []byte) { <-hold }
				r := s.serve(t, cfg, own)
				r.peer.text("runs")
				own.expect("text runs")
				r.peer.text("fills the inbox")
				own.expectDeaf(conn.ErrInboxFull)
				row.end(r)
				if row.code == 1013 {
					r.peer.expectClose(1013)
				}
				go r.peer.discard()
				close(hold)
				if why := own.closed(); why.Code != row.code {
					t.Errorf("closed with %+v", why)
				}
				if n := len(own.turns()); n > 4 {
					t.Errorf("callbacks: %q", own.turns())
				}
			})
		})
	}
}

func TestAPauseIsNotASilenceOfThePeer(t *testing.T) {
	inBubbles(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		r := s.serve(t, conn.Config{InboxMessages: 1, StallWait: time.Hour}, own)
		r.peer.text("runs")
		own.expect("text runs")
		r.peer.text("fills the inbox")
		own.expectDeaf(conn.ErrInboxFull)
		time.Sleep(50 * time.Minute)
		if got := own.lines(); len(got) != 2 {
			t.Fatalf("callbacks: %q", got)
		}
		close(hold)
		synctest.Wait()
		r.send("no ping before this")
		r.peer.expectText("no ping before this")
		r.peer.text("alive")
		own.expect("text alive")
	})
}

func TestAHandlerThatOutlivesThePeerLearnsOfIt(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		r := s.serve(t, conn.Config{Heartbeat: -1, CloseWait: 50 * time.Millisecond}, own)
		r.peer.text("waits for ever")
		own.expect("text waits for ever")
		r.peer.nc.Close()
		own.expectDeaf(conn.ErrClosed)
		own.expect("closing") // though the handler has not returned
		close(hold)
		if why := own.closed(); why.Code != 1006 {
			t.Errorf("closed with %+v", why)
		}
	})
}

func TestAPausedConnectionSeesItsPeersEndAfterwards(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		cfg := quiet()
		cfg.InboxMessages = 2
		r := s.serve(t, cfg, own)
		for _, text := range []string{"a", "b", "c"} {
			r.peer.text(text)
		}
		r.own.expectDeaf(conn.ErrInboxFull)
		var writing sync.WaitGroup
		defer writing.Wait()
		writing.Go(func() { // over a pipe this waits for the reader
			r.peer.text("d")
			r.peer.close(1000, "")
		})
		close(hold)
		r.peer.expectClose(1000)
		for _, text := range []string{"a", "b", "c", "d"} {
			r.own.expect("text " + text)
		}
	})
}
