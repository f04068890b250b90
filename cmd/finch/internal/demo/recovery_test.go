package demo_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

func listen(t *testing.T, app http.Handler) *finchtest.Client {
	t.Helper()
	c := finchtest.ConnectRequest(t, app, finchtest.NewRequest("ws://localhost:3000/pulse"))
	c.Hello()
	if _, err := c.Join("pulse"); err != nil {
		t.Fatal(err)
	}
	return c
}

func expectBeat(t *testing.T, c *finchtest.Client, want int) int {
	t.Helper()
	var beat demo.Beat
	if c.Expect("beat", &beat); want != 0 && beat.N != want {
		t.Fatalf("beat %d came, not %d", beat.N, want)
	}
	return beat.N
}

func TestTheHeartBeatsWhileSomebodyListens(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c := listen(t, app)
		for n := range 20 {
			expectBeat(t, c, n+1)
		}
		c.Close(1000, "")
		time.Sleep(10 * time.Minute) // of the bubble
		last := expectBeat(t, listen(t, app), 0)
		if last < 20+200 || last > 20+300 {
			t.Errorf("after ten minutes alone it went on with beat %d", last)
		}
	})
}

func TestWhatWasMissedComesAndNothingTwice(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c := listen(t, app)
		last := expectBeat(t, c, 1)
		c.Drop()
		time.Sleep(30 * time.Second) // of the bubble: the network is gone
		c.Turn(app)
		if g := c.Resume(); !g.Resumed {
			t.Errorf("came back as %+v", g)
		}
		var joined finchtest.Outcome
		c.Expect("finch.joined", &joined)
		if joined.Recovered == nil || !*joined.Recovered || joined.Missed < 100 {
			t.Errorf("told %+v", joined)
		}
		for n := range joined.Missed + 10 {
			expectBeat(t, c, last+1+n)
		}
	})
}
