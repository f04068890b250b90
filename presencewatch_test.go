package finch_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestWhoWasListedAndGoesAtOnceIsSaidToHaveLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := finch.NewSocketManager(nil)
		m.DeclareRooms("lobby", finch.RoomOptions{Presence: true, CanJoin: finch.Anybody})
		t.Cleanup(func() { m.Shutdown(t.Context()) })
		bob := finchtest.Connect(t, m, finch.Identity{User: "bob"})
		ann := finchtest.Connect(t, m, finch.Identity{User: "ann"})
		for _, c := range []*finchtest.Client{bob, ann} {
			if _, err := c.Join("lobby"); err != nil {
				t.Fatal(err)
			}
		}
		list, err := finchtest.Request[shownMembers](bob, "finch.presence", map[string]any{"room": "lobby", "watch": true})
		if err != nil || list.Count != 2 {
			t.Fatalf("listed %+v, %v", list, err)
		}
		bob.Skip()          // what had changed before the answer is told before it
		ann.Close(1000, "") // at once
		var change struct{ Left []string }
		if bob.Expect("finch.presence", &change); !slices.Equal(change.Left, []string{"ann"}) {
			t.Errorf("told %+v", change)
		}
	})
}
