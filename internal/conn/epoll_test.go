//go:build linux

package conn_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

func epollEngine(t testing.TB) conn.Engine {
	t.Helper()
	e, err := conn.NewEpoll(1)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// dial answers a peer whose server end is served by o.
func dial(t testing.TB, e conn.Engine, o *owner, cfg conn.Config) *peer {
	t.Helper()
	server, client := loopback(t)
	p := newPeer(t, client)
	o.serve(e, server, cfg)
	t.Cleanup(o.c.Abort)
	return p
}

func TestEpollEchoesMessagesOfEverySize(t *testing.T) {
	for _, inline := range []bool{false, true} {
		t.Run(fmt.Sprintf("inline=%v", inline), func(t *testing.T) {
			o := &owner{received: echo, inline: inline}
			p := dial(t, epollEngine(t), o, conn.Config{QueueBytes: 16 << 20, InboxBytes: 16 << 20})
			r := rand.New(rand.NewPCG(1, 2))
			for _, size := range []int{0, 1, 125, 126, 65535, 65536, 70000, 1<<20 + 3} {
				payload := make([]byte, size)
				for i := range payload {
					payload[i] = byte(r.Uint32())
				}
				go p.say(frame.Binary, payload)
				ev, err := p.hear()
				if err != nil || !bytes.Equal(ev.Payload, payload) {
					t.Fatalf("%d bytes came back as %d, %v", size, len(ev.Payload), err)
				}
			}
			p.say(frame.Close, frame.AppendClosePayload(nil, 1000, "bye"))
			if ev := p.expect(frame.Close, ""); ev.Code != 1000 {
				t.Errorf("close code %d", ev.Code)
			}
			p.expectEnd()
			if why := o.ended(t); why != (conn.Close{Code: 1000, Reason: "bye", Clean: true}) {
				t.Errorf("closed with %+v", why)
			}
		})
	}
}

func TestEpollKeepsOrderUnderManySenders(t *testing.T) {
	const senders, each = 8, 2000
	o := &owner{opened: func(c *conn.Conn) {
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					if err := c.Send(frame.AppendFrame(nil, frame.Text, fmt.Appendf(nil, "%d %d", s, i))); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}}
	p := dial(t, epollEngine(t), o, conn.Config{QueueBytes: 16 << 20})
	next := [senders]int{}
	for range senders * each {
		ev, err := p.hear()
		if err != nil {
			t.Fatal(err)
		}
		var s, i int
		fmt.Sscan(string(ev.Payload), &s, &i)
		if i != next[s] {
			t.Fatalf("sender %d: message %d came instead of %d", s, i, next[s])
		}
		next[s]++
	}
}

func TestEpollPausesAndGoesOn(t *testing.T) {
	const messages = 3000
	release := make(chan struct{})
	var got atomic.Int64
	var full atomic.Int64
	o := &owner{
		deaf: func(err error) {
			if err == conn.ErrInboxFull {
				full.Add(1)
			}
		},
		received: func(c *conn.Conn, op frame.Opcode, p []byte) {
			<-release
			if want := fmt.Sprint(got.Add(1) - 1); want != string(p) {
				t.Errorf("message %s came as number %s", p, want)
			}
			echo(c, op, p)
		},
	}
	p := dial(t, epollEngine(t), o, conn.Config{InboxMessages: 10, QueueBytes: 16 << 20})
	go func() {
		for i := range messages {
			p.say(frame.Text, fmt.Append(nil, i))
		}
	}()
	until(t, func() bool { return full.Load() > 0 })
	close(release)
	for i := range messages {
		p.expect(frame.Text, fmt.Sprint(i))
	}
}

// until polls for what no event tells.
func until(t testing.TB, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); {
		if time.Now().After(end) {
			t.Fatal("it did not come to pass")
		}
		time.Sleep(time.Millisecond)
	}
}
