package finch_test

import (
	"strings"
	"testing"

	"github.com/finch-go/finch"
)

func TestRoomPatternsMatchWholeSegments(t *testing.T) {
	tests := []struct{ pattern, name, wildcard, value string }{ // a value of - : no match
		{"lobby", "lobby", "", ""},
		{"lobby", "lobby2", "", "-"},
		{"lobby", "lobby:1", "", "-"},
		{"chat:{id}", "chat:7", "id", "7"},
		{"chat:{id}", "chat:", "", "-"},
		{"chat:{id}", "chat", "", "-"},
		{"chat:{id}", "chat/7", "", "-"},
		{"chat:{id}", "chat:7:8", "", "-"},
		{"chat:{id}", "Chat:7", "", "-"},
		{"chat:{id}", "chat:{id}", "id", "{id}"},
		{"chat:{id}", "chat:گنجشک", "id", "گنجشک"},
		{"{a}/{b}", "x/y", "b", "y"},
		{"{a}/{b}", "x:y", "", "-"},
		{"{a}/{b}", "/y", "", "-"},
		{"org/{org}/{rest...}", "org/1/a:b/c", "rest", "a:b/c"},
		{"org/{org}/{rest...}", "org/1/a:b/c", "org", "1"},
		{"org/{org}/{rest...}", "org/1/", "", "-"},
		{"org/{org}/{rest...}", "org/1", "", "-"},
		{"{all...}", "a:b/c", "all", "a:b/c"},
		{"u:{id}", "u:ann", "id", "ann"},
	}
	for _, tt := range tests {
		m := finch.NewSocketManager(nil)
		m.DeclareRooms(tt.pattern, finch.RoomOptions{})
		value := "-"
		if finch.IsDeclared(m, tt.name) {
			value = m.Room(tt.name).Value(tt.wildcard)
		}
		if value != tt.value {
			t.Errorf("%s and %s: got %q, want %q", tt.pattern, tt.name, value, tt.value)
		}
	}
}

func TestTheNarrowestPatternCounts(t *testing.T) {
	patterns := []string{"{all...}", "chat:{id}", "chat:vip", "org/{rest...}", "org/{org}/{room}", "org/1/{room}"}
	for _, order := range [][]int{{0, 1, 2, 3, 4, 5}, {5, 4, 3, 2, 1, 0}, {3, 0, 5, 1, 4, 2}} {
		m := finch.NewSocketManager(nil)
		for _, i := range order {
			m.DeclareRooms(patterns[i], finch.RoomOptions{MaxMembers: i + 1})
		}
		for name, want := range map[string]int{"lobby": 0, "chat:7": 1, "chat:vip": 2, "org/a/b/c": 3, "org/x": 3, "org/2/r": 4, "org/1/r": 5, "chat:7:8": 0} {
			if got := finch.MaxMembersOf(m, name) - 1; got != want {
				t.Errorf("declared in the order %v, %s is of %s, want %s", order, name, patterns[got], patterns[want])
			}
		}
	}
}

func TestPatternsThatCannotBeAreRefused(t *testing.T) {
	for pattern, why := range map[string]string{
		"":                       "a room's name is",
		"a\nb":                   "a room's name is",
		"\xff":                   "a room's name is",
		strings.Repeat("a", 257): "a room's name is",
		"{}":                     "neither literal nor a wildcard",
		"{a":                     "neither literal nor a wildcard",
		"a}":                     "neither literal nor a wildcard",
		"x{a}":                   "neither literal nor a wildcard",
		"{a}{b}":                 "neither literal nor a wildcard",
		"{...}":                  "neither literal nor a wildcard",
		"{a}/{a}":                "stands twice",
		"{a...}/b":               "must be the last part",
	} {
		m := finch.NewSocketManager(nil)
		wantPanic(t, func() { m.DeclareRooms(pattern, finch.RoomOptions{}) }, why, "roompattern_test.go:")
	}
}

func TestPatternsThatMeetAreRefused(t *testing.T) {
	tests := []struct{ a, b, want string }{
		{"chat:{id}", "chat:{name}", "declared twice"},
		{"lobby", "lobby", "declared twice"},
		{"{a...}", "{b...}", "declared twice"},
		{"{a}/1", "1/{b}", "neither is narrower"},
		{"{a}/{rest...}", "x/{b}/{c}", ""},
		{"a/{x}/{rest...}", "{y}/b/c", "neither is narrower"},
		{"chat:{id}", "chat/{id}", ""},
		{"chat:{id}", "chat:vip", ""},
	}
	for _, tt := range tests {
		for _, both := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			m := finch.NewSocketManager(nil)
			m.DeclareRooms(both[0], finch.RoomOptions{})
			second := func() { m.DeclareRooms(both[1], finch.RoomOptions{}) }
			if tt.want == "" {
				if text := panicOf(second); text != "" {
					t.Errorf("%q after %q: %s", both[1], both[0], text)
				}
				continue
			}
			text := panicOf(second)
			if !strings.Contains(text, tt.want) || strings.Count(text, "roompattern_test.go:") != 2 {
				t.Errorf("%q after %q: the panic %q does not say %q and both places", both[1], both[0], text, tt.want)
			}
		}
	}
	m := finch.NewSocketManager(nil)
	m.DeclareUsers(finch.RoomOptions{})
	wantPanic(t, func() { m.DeclareUsers(finch.RoomOptions{}) }, "declared twice", "roompattern_test.go:")
	wantPanic(t, func() { m.DeclareRooms("x", finch.RoomOptions{HistorySize: -1}) }, "negative")
}
