package conn_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// alone is a setup whose connection has a poller of its own.
func alone(t *testing.T) setup {
	t.Helper()
	e, err := conn.NewEpoll(1)
	if err != nil {
		t.Fatal(err)
	}
	return setup{name: "epoll over TCP", engine: e, pair: tcpPair}
}

// TestAPollerSleepsWhenThereIsNothingToDo brings a connection into each state
// in which the kernel has something to report that we do not want to hear, and
// counts how often the poller wakes up for it.
func TestAPollerSleepsWhenThereIsNothingToDo(t *testing.T) {
	paused := func(t *testing.T, s setup) (*rig, func()) {
		own := newOwner(t)
		hold := make(chan struct{})
		own.onReceived = func(frame.Opcode, []byte) { <-hold }
		r := s.serve(t, conn.Config{InboxMessages: 1, Heartbeat: -1, CloseWait: time.Minute}, own)
		r.peer.text("handled for long")
		r.peer.text("waits")
		r.own.expectDeaf(conn.ErrInboxFull)
		return r, func() { close(hold) }
	}
	rows := []struct {
		name  string
		bring func(t *testing.T, s setup) (*rig, func())
	}{
		{"idle", func(t *testing.T, s setup) (*rig, func()) {
			return s.serve(t, quiet(), newOwner(t)), func() {}
		}},
		{"paused with bytes to read", func(t *testing.T, s setup) (*rig, func()) {
			r, free := paused(t, s)
			r.peer.text("unread")
			return r, free
		}},
		{"paused and half closed by the peer", func(t *testing.T, s setup) (*rig, func()) {
			r, free := paused(t, s)
			r.peer.nc.(*net.TCPConn).CloseWrite()
			return r, free
		}},
		{"paused and reset by the peer", func(t *testing.T, s setup) (*rig, func()) {
			r, free := paused(t, s)
			r.peer.nc.(*net.TCPConn).SetLinger(0)
			r.peer.nc.Close()
			return r, free
		}},
		{"paused and blocked", func(t *testing.T, s setup) (*rig, func()) {
			r, free := paused(t, s)
			for r.send(filler(100_000)) == nil && r.conn.Queued() < 500_000 {
			}
			r.peer.text("unread")
			return r, free
		}},
		{"blocked by a peer that does not read", func(t *testing.T, s setup) (*rig, func()) {
			r := s.serve(t, quiet(), newOwner(t))
			for r.send(filler(100_000)) == nil && r.conn.Queued() < 500_000 {
			}
			return r, func() {}
		}},
		{"the peer has closed and a handler still runs", func(t *testing.T, s setup) (*rig, func()) {
			own := newOwner(t)
			hold := make(chan struct{})
			own.onReceived = func(frame.Opcode, []byte) { <-hold }
			r := s.serve(t, conn.Config{Heartbeat: -1, CloseWait: time.Minute}, own)
			r.peer.text("handled for long")
			r.peer.close(1000, "")
			r.peer.nc.(*net.TCPConn).CloseWrite()
			r.own.expectDeaf(conn.ErrClosed)
			return r, func() { close(hold) }
		}},
		{"closed by us and not answered", func(t *testing.T, s setup) (*rig, func()) {
			r := s.serve(t, conn.Config{Heartbeat: -1, CloseWait: time.Minute}, newOwner(t))
			r.conn.Close(1000, "")
			r.peer.expectClose(1000)
			return r, func() {}
		}},
	}
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row.name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			r, free := row.bring(t, alone(t))
			defer free()
			// The state may take a few turns to come about; after that, none
			// may follow. Spinning makes thousands in this time.
			time.Sleep(50 * time.Millisecond)
			before, ok := conn.Turns(r.conn)
			if !ok {
				t.Fatal("not an epoll connection")
			}
			time.Sleep(50 * time.Millisecond)
			if after, _ := conn.Turns(r.conn); after-before > 2 {
				t.Errorf("the poller woke up %d times", after-before)
			}
		})
	}
}
