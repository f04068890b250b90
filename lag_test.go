package finch_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// TestSlowMemberIsCaughtUpHoweverMuchItMissed lets a member miss far more than
// is kept in memory for one, or replayed at once: all of it is in history.
func TestSlowMemberIsCaughtUpHoweverMuchItMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(&finch.SocketManagerOptions{Limits: finch.Limits{QueueBytes: 64 << 10}, Heartbeat: -1})
		m.DeclareRooms("r", finch.RoomOptions{HistorySize: 5000, HistoryAge: time.Hour, CanJoin: finch.Anybody})
		slow, fast := finchtest.Connect(t, m, finch.Identity{}), finchtest.Connect(t, m, finch.Identity{})
		slow.Hello()
		joins(t, slow, "r")
		joins(t, fast, "r")
		slow.Stall(true)
		const messages = 3000
		padding := strings.Repeat("x", 500)
		for i := range messages {
			if _, err := m.Room("r").Publish(t.Context(), "n", fmt.Sprint(i, padding)); err != nil {
				t.Fatal(err)
			}
			if i%50 == 0 {
				synctest.Wait()
				fast.Skip()
			}
		}
		if n := m.Stats().Lagged; n != 1 {
			t.Fatalf("%d members lagged", n)
		}
		if n := m.Stats().QueuedBytes; n > 1<<20 {
			t.Errorf("%d bytes wait for one slow member", n)
		}
		slow.Stall(false)
		for i := range messages {
			var got string
			if slow.Expect("n", &got); got != fmt.Sprint(i, padding) {
				t.Fatalf("message %d is %.20s", i, got)
			}
		}
		slow.Expect("finch.lagged", nil)
		if _, err := m.Room("r").Publish(t.Context(), "n", "live"); err != nil {
			t.Fatal(err)
		}
		var got string
		if slow.Expect("n", &got); got != "live" {
			t.Errorf("after it had caught up it got %.20s", got)
		}
		slow.ExpectNothing()
	})
}
