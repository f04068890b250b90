package main

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

func TestALineReachesEveryone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{})
		bob := finchtest.Connect(t, sockets, finch.Identity{})
		said := Line{"Ann", "سلام"}
		ann.Send("chat", said)
		for _, c := range []*finchtest.Client{ann, bob} {
			var got Line
			c.Expect("chat", &got)
			if got != said {
				t.Fatalf("got %+v", got)
			}
			c.ExpectNothing()
		}
	})
}

func TestAnEmptyLineIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sockets := newSockets()
		ann := finchtest.Connect(t, sockets, finch.Identity{})
		bob := finchtest.Connect(t, sockets, finch.Identity{})
		_, err := finchtest.Request[any](ann, "chat", Line{Name: "Ann"})
		var refused *finch.Error
		if !errors.As(err, &refused) || refused.Code != "empty" || refused.Status != 422 {
			t.Fatalf("got %v", err)
		}
		bob.ExpectNothing()
	})
}
