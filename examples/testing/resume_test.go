package main

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// region resume
func TestWhoWasAwayGetsWhatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{User: "ann"})
		bob := finchtest.Connect(t, sockets, finch.Identity{User: "bob"})
		bob.Hello()
		for _, c := range []*finchtest.Client{ann, bob} {
			if _, err := c.Join("talk:tea"); err != nil {
				t.Fatal(err)
			}
		}

		bob.Drop() // as a phone in a tunnel
		finchtest.Pass(time.Minute)
		if _, _, err := ann.Publish("talk:tea", "say", "where are you?", ""); err != nil {
			t.Fatal(err)
		}
		bob.Resume()

		var back finchtest.Outcome
		bob.Expect("finch.joined", &back)
		if back.Missed != 1 {
			t.Fatalf("got %+v", back)
		}
		var said string
		if r := bob.Expect("say", &said); said != "where are you?" || r.From != "ann" {
			t.Fatalf("got %s", r)
		}
		bob.ExpectNothing() // once is enough
	})
}

// endregion

// region reset
func TestWhoWasAwayTooLongIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		bob := finchtest.Connect(t, sockets, finch.Identity{User: "bob"})
		bob.Hello()
		if _, err := bob.Join("talk:tea"); err != nil {
			t.Fatal(err)
		}
		bob.Drop()
		for n := range 200 { // the room keeps 100
			if _, err := sockets.Room("talk:tea").Publish(t.Context(), "say", n); err != nil {
				t.Fatal(err)
			}
		}
		bob.Resume()

		var reset finchtest.Outcome
		bob.Expect("finch.reset", &reset)
		if reset.Reason != "trimmed" || bob.Positions()["talk:tea"] != reset.Position {
			t.Fatalf("got %+v", reset)
		}
		bob.ExpectNothing() // none of what it could not have had whole
	})
}

// endregion

// region grace
func TestAReconnectShowsNobodyAnything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		bob := finchtest.Connect(t, sockets, finch.Identity{User: "bob"})
		bob.Hello()
		if _, err := bob.Join("talk:tea"); err != nil {
			t.Fatal(err)
		}
		present := func() (names []string) {
			for who, err := range sockets.Room("talk:tea").Members(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, who.Name)
			}
			return names
		}
		bob.Drop()
		finchtest.Pass(14 * time.Second) // the grace is 15
		if n := len(present()); n != 1 {
			t.Fatalf("%d are present while bob may come back", n)
		}
		finchtest.Pass(2 * time.Second)
		if n := len(present()); n != 0 {
			t.Fatalf("%d are present after bob has not come back", n)
		}
	})
}

// endregion

// region restart
func TestAfterARestartEverybodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := newSockets(), newSockets() // what is in memory ends with its process
		bob := finchtest.Connect(t, before, finch.Identity{User: "bob"})
		bob.Hello()
		if _, err := bob.Join("talk:tea"); err != nil {
			t.Fatal(err)
		}
		if _, err := before.Room("talk:tea").Publish(t.Context(), "say", "hello"); err != nil {
			t.Fatal(err)
		}
		bob.Expect("say", nil)

		bob.Drop()
		bob.Turn(after)
		if g := bob.Resume(); g.Resumed || g.Reason != "bad_ticket" {
			t.Fatalf("got %+v", g)
		}
		var reset finchtest.Outcome
		bob.Expect("finch.reset", &reset)
		if reset.Room != "talk:tea" || reset.Reason != "epoch" {
			t.Fatalf("got %+v", reset)
		}
	})
}

// endregion
