package conn_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/finch-go/finch/internal/conn"
	"github.com/finch-go/finch/internal/frame"
)

// inliner is an owner whose handlers the reader runs.
type inliner struct{ *owner }

func (inliner) Inline() bool { return true }

func TestInlineHandlersKeepTheOrder(t *testing.T) {
	everywhere(t, func(t *testing.T, s setup) {
		own := newOwner(t)
		begin := make(chan struct{})
		own.onOpened = func() { <-begin }
		own.onReceived = own.echo
		server, client := s.pair(t)
		r := &rig{t: t, own: own, meter: new(conn.Meter), peer: &peer{t: t, nc: client}}
		cfg := quiet()
		cfg.Meter = r.meter
		r.conn = s.engine.New(server, nil, cfg.Ready(), inliner{own})
		own.c = r.conn
		t.Cleanup(r.end)
		r.conn.Start(nil)
		own.expect("opened")
		const messages = 50
		want := []string{"opened"}
		for i := range messages {
			text := fmt.Sprint("message ", i)
			r.peer.text(text) // the first wait for Opened, and those behind them too
			want = append(want, "text "+text)
			if i == messages/2 {
				close(begin)
			}
		}
		for i := range messages {
			r.peer.expectText(fmt.Sprint("message ", i))
		}
		r.peer.write(masked(frame.Ping, "!"))
		if ev := r.peer.next(); ev.Opcode != frame.Pong {
			t.Errorf("got %v", ev.Opcode)
		}
		r.peer.close(1000, "")
		r.peer.expectClose(1000)
		own.closed()
		if got := own.turns(); !slices.Equal(got, append(want, "closed 1000 clean")) {
			t.Errorf("callbacks: %q", got)
		}
	})
}
