package demo_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

// withHolder runs a test against a demo whose idle sockets are three, of 1,500
// bytes each; h may say otherwise.
func withHolder(t *testing.T, h demo.Holder, f func(t *testing.T, app http.Handler, c *finchtest.Client)) {
	synctest.Test(t, func(t *testing.T) {
		var app *demo.Demo
		var open atomic.Int64
		h.Sockets = 3
		if h.Hold == nil {
			h.Hold = func(ctx context.Context, sockets int) error {
				var all []*finchtest.Client
				for range sockets {
					all = append(all, finchtest.ConnectRequest(t, app, finchtest.NewRequest("ws://localhost:3000/idle")))
				}
				open.Store(int64(len(all)))
				<-ctx.Done()
				for _, c := range all {
					c.Drop()
				}
				return ctx.Err()
			}
		}
		h.Resident = func() (int64, error) { return 10_000_000 + 1500*open.Load(), nil }
		app = demo.New(&demo.Options{Holder: &h, Logger: slog.New(slog.DiscardHandler)})
		t.Cleanup(func() { app.Shutdown(t.Context()) })
		c, _ := connect(t, app, "")
		c.Expect("counts", nil)
		c.Skip()
		f(t, app, c)
	})
}

// expectIdle waits for a state, and answers how it stands then.
func expectIdle(t *testing.T, c *finchtest.Client, state string) (now demo.Idle) {
	t.Helper()
	for range 300 {
		if c.Expect("idle", &now); now.State == state {
			return now
		}
	}
	t.Fatalf("never %s: %+v", state, now)
	return now
}

func TestIdleSocketsAreHeldWeighedAndLetGo(t *testing.T) {
	withHolder(t, demo.Holder{}, func(t *testing.T, app http.Handler, c *finchtest.Client) {
		first, err := finchtest.Request[demo.Idle](c, "idle.hold", nil)
		if err != nil || first.State != "opening" || first.Wanted != 3 {
			t.Fatalf("asked for them: %+v, %v", first, err)
		}
		if now := expectIdle(t, c, "held"); now.Held != 3 || now.Bytes != 1500 {
			t.Errorf("held %+v", now)
		}
		if _, err := finchtest.Request[demo.Idle](c, "idle.hold", nil); finch.StatusOf(err) != 409 {
			t.Errorf("asked twice: %v", err)
		}
		if _, err := finchtest.Request[demo.Idle](c, "idle.release", nil); err != nil {
			t.Error(err)
		}
		if now := expectIdle(t, c, "none"); now.Held != 0 || now.Bytes != 0 || now.Problem != "" {
			t.Errorf("let go: %+v", now)
		}
		if now, err := finchtest.Request[demo.Idle](c, "idle.release", nil); err != nil || now.State != "none" {
			t.Errorf("let go again: %+v, %v", now, err)
		}
	})
}

func TestIdleSocketsAreNoClients(t *testing.T) {
	withHolder(t, demo.Holder{}, func(t *testing.T, app http.Handler, c *finchtest.Client) {
		finchtest.Request[demo.Idle](c, "idle.hold", nil)
		expectIdle(t, c, "held")
		another, _ := connect(t, app, "")
		var counts demo.Counts
		if another.Expect("counts", &counts); counts.Clients != 2 {
			t.Errorf("counted %+v", counts)
		}
		finchtest.Request[demo.Idle](c, "idle.release", nil)
		expectIdle(t, c, "none")
	})
}

func TestIdleSocketsGoByThemselves(t *testing.T) {
	withHolder(t, demo.Holder{}, func(t *testing.T, app http.Handler, c *finchtest.Client) {
		begin := time.Now()
		finchtest.Request[demo.Idle](c, "idle.hold", nil)
		expectIdle(t, c, "none")
		if took := time.Since(begin); took < time.Minute || took > 3*time.Minute {
			t.Errorf("they went after %v", took)
		}
	})
}

func TestAHolderThatFailsIsToldToThePage(t *testing.T) {
	broken := demo.Holder{Hold: func(context.Context, int) error { return errors.New("no socket opened") }}
	withHolder(t, broken, func(t *testing.T, app http.Handler, c *finchtest.Client) {
		if _, err := finchtest.Request[demo.Idle](c, "idle.hold", nil); err != nil {
			t.Fatal(err)
		}
		if now := expectIdle(t, c, "none"); now.Problem != "no socket opened" {
			t.Errorf("told %+v", now)
		}
	})
}

func TestWhyNothingCanBeHeldIsSaid(t *testing.T) {
	ready := demo.Holder{Ready: func(int) error { return finch.Errorf(503, "too_few_files", "too few") }}
	withHolder(t, ready, func(t *testing.T, app http.Handler, c *finchtest.Client) {
		if _, err := finchtest.Request[demo.Idle](c, "idle.hold", nil); finch.StatusOf(err) != 503 {
			t.Errorf("got %v", err)
		}
		if now, err := finchtest.Request[demo.Idle](c, "idle.state", nil); err != nil || now.State != "none" {
			t.Errorf("then %+v, %v", now, err)
		}
	})
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		if _, err := finchtest.Request[demo.Idle](c, "idle.hold", nil); finch.StatusOf(err) != 503 {
			t.Errorf("without a holder: %v", err)
		}
	})
}
