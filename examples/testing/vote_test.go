package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// region vote
func TestAVoteIsSeenByEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{User: "ann"})
		bob := finchtest.Connect(t, sockets, finch.Identity{User: "bob"})

		ann.Send("vote", Vote{"tea"})

		var votes map[string]int
		bob.Expect("votes", &votes)
		if votes["tea"] != 1 {
			t.Fatalf("got %v", votes)
		}
		bob.ExpectNothing() // once is enough
	})
}

// endregion

// region refused
func TestASecondVoteIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ann := finchtest.Connect(t, newSockets(), finch.Identity{User: "ann"})
		if _, err := finchtest.Request[any](ann, "vote", Vote{"tea"}); err != nil {
			t.Fatal(err)
		}
		_, err := finchtest.Request[any](ann, "vote", Vote{"coffee"})
		if finch.StatusOf(err) != 409 {
			t.Fatalf("got %v", err)
		}
	})
}

// endregion

// region time
func TestACountFollowsComingAndGoing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{User: "ann"})
		time.Sleep(time.Hour) // takes no time inside synctest
		if sockets.CountClients() != 1 {
			t.Fatal("a client that answers its pings was closed")
		}
		ann.Drop() // as a phone in a tunnel
		synctest.Wait()
		if sockets.CountClients() != 0 {
			t.Fatal("a client that is gone still counts")
		}
	})
}

// endregion
