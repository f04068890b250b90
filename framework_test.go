package finch_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestHelloTellsTheLimits(t *testing.T) {
	type greeting struct {
		Version   int
		Client    string
		Heartbeat int64
		Limits    struct {
			MessageBytes int `json:"message_bytes"`
			JSONDepth    int `json:"json_depth"`
		}
	}
	rows := []struct {
		name      string
		o         finch.SocketManagerOptions
		heartbeat int64
		bytes     int
		depth     int
	}{
		{"the defaults", finch.SocketManagerOptions{}, 25_000, 64 << 10, 64},
		{"others", finch.SocketManagerOptions{Heartbeat: time.Second, Limits: finch.Limits{MessageBytes: 1000, JSONDepth: 5}}, 1000, 1000, 5},
		{"no heartbeat", finch.SocketManagerOptions{Heartbeat: -1}, 0, 64 << 10, 64},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := finch.NewSocketManager(&row.o)
				c, s := join(t, m, finch.Identity{})
				got, err := finchtest.Request[greeting](c, "finch.hello", map[string]any{"version": 1})
				if err != nil || got.Version != 1 || got.Client != s.ID() || got.Heartbeat != row.heartbeat ||
					got.Limits.MessageBytes != row.bytes || got.Limits.JSONDepth != row.depth {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		})
	}
}

func TestNothingOfTheFrameworkIsSaidUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, finch.NewSocketManager(nil), finch.Identity{})
		c.Send("finch.hello", nil) // without an id: nobody asked for an answer
		c.Send("finch.ping", nil)
		time.Sleep(time.Hour)
		c.ExpectNothing()
	})
}

func TestAnAppCannotCatchTheFrameworksPaths(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		for _, path := range []string{"finch.ping", "finch.anything"} {
			wantPanic(t, func() { m.AddRoutes(map[string]finch.SocketEvent{path: {}}) }, path, "reserved")
		}
	})
}
