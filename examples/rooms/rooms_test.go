package main

import (
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func join(t *testing.T, c *finchtest.Client, room string, members int) {
	t.Helper()
	got, err := finchtest.Request[Joined](c, "join", Joining{room})
	if err != nil || got.Members != members {
		t.Fatalf("joining %s: got %+v, %v; want %d members", room, got, err, members)
	}
}

func TestALineStaysInItsRoomAndSparesItsSpeaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{})
		bob := finchtest.Connect(t, sockets, finch.Identity{})
		eve := finchtest.Connect(t, sockets, finch.Identity{})
		join(t, ann, "تهران", 1)
		join(t, bob, "تهران", 2)
		join(t, eve, "shiraz", 1)
		ann.Send("say", Line{"Ann", "سلام"})
		var got Line
		r := bob.Expect("line", &got)
		if r.Room != "تهران" || got.Text != "سلام" {
			t.Fatalf("got %s", r)
		}
		ann.ExpectNothing()
		eve.ExpectNothing()
	})
}

func TestJoiningAnotherRoomLeavesTheFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{})
		join(t, ann, "a", 1)
		join(t, ann, "b", 1)
		if n, err := sockets.Room("a").Count(t.Context()); n != 0 || err != nil {
			t.Fatalf("%d are left in a: %v", n, err)
		}
	})
}

func TestTheOthersAreToldWhoLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{})
		bob := finchtest.Connect(t, sockets, finch.Identity{})
		join(t, ann, "a", 1)
		join(t, bob, "a", 2)
		ann.Drop()
		bob.Expect("left", nil)
	})
}

func TestStrangersMayNotJoinTheStaff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		eve := finchtest.Connect(t, sockets, finch.Identity{})
		if _, err := finchtest.Request[Joined](eve, "join", Joining{"staff"}); finch.StatusOf(err) != 403 {
			t.Fatalf("got %v", err)
		}
	})
}

func TestWhoHasNoRoomCannotSpeak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := finchtest.Connect(t, newSockets(), finch.Identity{})
		if _, err := finchtest.Request[any](c, "say", Line{"Ann", "hello"}); finch.StatusOf(err) != 409 {
			t.Fatalf("got %v", err)
		}
	})
}

func TestTheAdminEmptiesARoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		admin := finchtest.Connect(t, sockets, finch.Identity{User: "admin"})
		ann := finchtest.Connect(t, sockets, finch.Identity{User: "ann"})
		join(t, ann, "a", 1)
		if _, err := finchtest.Request[int](ann, "empty", Joining{"a"}); finch.StatusOf(err) != 403 {
			t.Fatalf("got %v", err)
		}
		n, err := finchtest.Request[int](admin, "empty", Joining{"a"})
		if code, _ := ann.ExpectClose(); n != 1 || err != nil || code != 4000 {
			t.Fatalf("closed %d with %d: %v", n, code, err)
		}
	})
}
