package finch_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestDrainTellsEachClientItsTimeAndKeepsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const clients, window = 40, 10 * time.Second
		m := finch.NewSocketManager(&finch.SocketManagerOptions{DrainWindow: window})
		var all []*finchtest.Client
		for i := range clients {
			c := finchtest.Connect(t, m, finch.Identity{})
			if i%4 > 0 {
				c.Hello()
			}
			all = append(all, c)
		}
		began := time.Now()
		shut := make(chan error, 1)
		go func() { shut <- m.Shutdown(context.Background()) }()
		synctest.Wait()
		w := httptest.NewRecorder()
		if m.Readyz(w, nil); w.Code != 503 {
			t.Errorf("it still calls itself ready: %d", w.Code)
		}
		done := make(chan struct{})
		for i, c := range all {
			go func() {
				defer func() { done <- struct{}{} }()
				var told struct{ Delay int64 }
				if i%4 > 0 {
					c.Expect("finch.drain", &told)
				}
				for !c.Ended() {
					time.Sleep(5 * time.Millisecond)
				}
				code, _ := c.ExpectClose()
				passed := time.Since(began).Milliseconds()
				if code != 1012 {
					t.Errorf("closed with %d", code)
				}
				if late := passed - told.Delay; i%4 > 0 && (late < 0 || late > 50) {
					t.Errorf("told %d ms, closed after %d", told.Delay, passed)
				}
			}()
		}
		for range all {
			<-done
		}
		if err := <-shut; err != nil {
			t.Error(err)
		}
		if passed := time.Since(began); passed < window*9/10 || passed > window+time.Second {
			t.Errorf("a window of %v took %v", window, passed)
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{DrainWindow: time.Hour})
		var all []*finchtest.Client
		for range 10 {
			all = append(all, finchtest.Connect(t, m, finch.Identity{}))
		}
		began := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := m.Shutdown(ctx); err != nil {
			t.Errorf("the window was not shortened to what the context leaves: %v", err)
		}
		if passed := time.Since(began); passed < 7*time.Second || passed > 9*time.Second {
			t.Errorf("it took %v of 10 s", passed)
		}
		for _, c := range all {
			if code, _ := c.ExpectClose(); code != 1012 {
				t.Errorf("closed with %d", code)
			}
		}
	})
}

func TestDrainThatIsCutShortClosesTheRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{DrainWindow: time.Hour})
		a, b := finchtest.Connect(t, m, finch.Identity{}), finchtest.Connect(t, m, finch.Identity{})
		ctx, cancel := context.WithCancel(context.Background())
		shut := make(chan error, 1)
		go func() { shut <- m.Shutdown(ctx) }()
		time.Sleep(time.Minute)
		cancel()
		<-shut
		codes := map[int]int{}
		for _, c := range []*finchtest.Client{a, b} {
			code, _ := c.ExpectClose()
			codes[code]++
		}
		if codes[1012] != 1 || codes[1001]+codes[1006] != 1 {
			t.Errorf("closed with %v", codes)
		}
	})
}

func TestFewClientsAreSentAwayAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		c := finchtest.Connect(t, m, finch.Identity{})
		began := time.Now()
		if err := m.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if code, _ := c.ExpectClose(); code != 1001 || time.Since(began) > drainNoticed {
			t.Errorf("closed with %d after %v", code, time.Since(began))
		}
	})
}

const drainNoticed = 100 * time.Millisecond
