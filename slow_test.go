package finch_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestSlowReaderGoesOnFromWhereItStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{QueueBytes: 32 << 10}})
		m.DeclareRooms("feed", finch.RoomOptions{HistorySize: 1000, CanJoin: finch.Anybody})
		defer m.Shutdown(t.Context())
		v := waitingClient(t, m, finch.Identity{})
		v.nc.SetDeadline(time.Time{})
		v.text(`{"path":"finch.join","id":1,"data":{"room":"feed"}}`)
		v.expect("finch.join")
		publish := func(n int) {
			t.Helper()
			if _, err := m.Room("feed").Publish(t.Context(), "n", n); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		for i := range 400 { // more frames than the queue takes, few bytes to replay
			publish(i)
		}
		lagged := 0
		hear := func(want string) {
			t.Helper()
			for {
				ev, err := v.read()
				if err != nil {
					t.Fatalf("waiting for %s: %v", want, err)
				}
				switch text := string(ev.Payload); {
				case strings.Contains(text, `"path":"finch.lagged"`):
					lagged++
				case strings.Contains(text, `"data":`+want+`}`):
					return
				default:
					t.Fatalf("got %s, want %s", text, want)
				}
			}
		}
		for i := range 400 {
			hear(string(must(t, i)))
		}
		if lagged == 0 {
			t.Error("it never fell behind")
		}
		publish(400)
		hear("400")
		v.nc.Close()
	})
}

// must is v in JSON.
func must(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestServerJoinsAClientThatIsComingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes, faulty := newCluster(t, 2, nil)
		c := finchtest.Connect(t, nodes[0], finch.Identity{User: "ann"})
		other := finchtest.Connect(t, nodes[1], finch.Identity{})
		c.Hello()
		joins(t, c, "chat:7")
		joins(t, other, "chat:7")
		publishes(t, other, "chat:7", "1")
		hears(t, c, "1")
		c.Drop()
		finchtest.Pass(2 * time.Minute) // the room is let go of on that node
		faulty[0].Cut()
		publishes(t, other, "chat:7", "missed")
		c.Resume()
		s := first(nodes[0].Sockets())
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.Join(ctx, "chat:7"); err == nil {
			t.Error("joined without a broker")
		}
		faulty[0].Mend()
		var o finchtest.Outcome
		c.Expect("finch.joined", &o)
		if o.Recovered == nil || !*o.Recovered || o.Missed != 1 {
			t.Errorf("%+v", o)
		}
		hears(t, c, "missed")
	})
}
