package conn_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// TestAReusedDescriptorIsNeverTouched opens and ends connections as fast as it
// can, in every way and while many goroutines send on all of them, so that the
// kernel gives each number away again at once. Whatever a client reads must be
// of its own connection, and must be whole.
func TestAReusedDescriptorIsNeverTouched(t *testing.T) {
	const workers, rounds, senders = 8, 25, 3
	before := descriptors(t)
	var id atomic.Uint32
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for round := range rounds {
				server, client := tcpPair(t)
				me := id.Add(1)
				s := &stamped{me: me, over: make(chan struct{})}
				c := conn.Auto.New(server, nil, conn.Config{Heartbeat: -1, CloseWait: time.Second}.Ready(), s)
				c.Start(nil)
				var sending sync.WaitGroup
				for range senders {
					sending.Go(func() {
						// Long messages, so that there is nearly always a
						// write under way.
						stamp := binary.BigEndian.AppendUint32(nil, me)
						msg := frame.AppendFrame(nil, frame.Binary, bytes.Repeat(stamp, 2000))
						for err := error(nil); err == nil; { // until it ends
							if c.Queued() < 50_000 {
								err = c.Send(msg)
							} else {
								err = c.Deaf()
							}
							runtime.Gosched()
						}
					})
				}
				p := &peer{t: t, nc: client}
				for range 5 {
					s.check(t, p.next())
				}
				switch (w + round) % 5 {
				case 0:
					c.Abort()
				case 1:
					c.Close(1000, "")
				case 2:
					p.close(1000, "")
				case 3:
					client.(*net.TCPConn).SetLinger(0)
					client.Close()
				case 4:
					go c.Abort()
					go c.Close(1000, "")
					go client.Close()
				}
				for {
					ev, err := p.read()
					if err != nil {
						break
					}
					if ev.Opcode == frame.Binary {
						s.check(t, ev)
					}
				}
				client.Close()
				sending.Wait()
				<-s.over
			}
		})
	}
	all.Wait()
	until(t, func() bool { return descriptors(t) <= before })
}

func descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// stamped owns a connection all of whose messages bear its number.
type stamped struct {
	me   uint32
	over chan struct{}
}

func (s *stamped) check(t *testing.T, ev frame.Event) {
	for p := ev.Payload; len(p) > 0; p = p[4:] {
		if len(ev.Payload) != 8000 || binary.BigEndian.Uint32(p) != s.me {
			t.Errorf("connection %d read %d bytes, %x among them", s.me, len(ev.Payload), p[:4])
			return
		}
	}
}

func (*stamped) Opened()                         {}
func (*stamped) Early(frame.Opcode, []byte) bool { return false }
func (*stamped) Received(frame.Opcode, []byte)   {}
func (*stamped) Ending(conn.Close, bool)         {}
func (*stamped) Writable()                       {}
func (*stamped) Deaf(error)                      {}
func (*stamped) Closing()                        {}
func (s *stamped) Closed(conn.Close)             { close(s.over) }
