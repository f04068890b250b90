package finch_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/finchtest"
)

// TestRoomThatGrowsAndShrinksKnowsWhoIsThere: a small room is kept in another way
// than a large one, and goes from one to the other.
func TestRoomThatGrowsAndShrinksKnowsWhoIsThere(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				m := newChat(nil)
				here := map[string]*finchtest.Client{}
				for _, aim := range []int{5, 40, 3, 18, 7, 17, 15, 30, 0} {
					for len(here) != aim {
						name := fmt.Sprintf("u%d", random.IntN(60))
						c := here[name]
						switch {
						case c == nil && len(here) < aim:
							c = finchtest.Connect(t, m, finch.Identity{User: name})
							joins(t, c, "chat:7")
							here[name] = c
						case c != nil && len(here) > aim:
							if _, err := finchtest.Request[any](c, "finch.leave", map[string]any{"room": "chat:7"}); err != nil {
								t.Fatal(err)
							}
							delete(here, name)
						}
					}
					var want, got []string
					for name := range here {
						want = append(want, name)
					}
					slices.Sort(want)
					for who, err := range m.Room("chat:7").Members(t.Context()) {
						if err != nil || who.Devices != 1 || who.User != who.Name {
							t.Fatalf("%+v, %v", who, err)
						}
						got = append(got, who.Name)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("at %d: %v, want %v", aim, got, want)
					}
				}
			})
		})
	}
}
