package demo_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

type object = map[string]string

func join(t *testing.T, c *finchtest.Client, room, name string) demo.ChatJoined {
	t.Helper()
	joined, err := finchtest.Request[demo.ChatJoined](c, "chat.join", object{"room": room, "name": name})
	if err != nil {
		t.Fatal(err)
	}
	return joined
}

func expectMembers(t *testing.T, c *finchtest.Client, room string, want ...string) {
	t.Helper()
	var got demo.ChatMembers
	if c.Expect("chat.members", &got); got.Room != room || !slices.Equal(got.Members, want) || got.Count != len(want) {
		t.Errorf("members %+v, want %v in %s", got, want, room)
	}
}

func TestALineReachesItsRoomAndNobodyElse(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, adaID := connect(t, app, "")
		amir, _ := connect(t, app, "")
		outsider, _ := connect(t, app, "")

		join(t, ada, "lobby", "Ada")
		if got := join(t, amir, " lobby ", " امیر "); got.Name != "امیر" || got.Room != "lobby" || !slices.Equal(got.Members, []string{"Ada", "امیر"}) {
			t.Errorf("joined as %+v", got)
		}
		join(t, outsider, "چای‌خانه", "مینا")
		expectMembers(t, ada, "lobby", "Ada", "امیر")
		outsider.Skip()

		if _, err := finchtest.Request[any](ada, "chat.say", object{"room": "lobby", "text": "سلام"}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*finchtest.Client{ada, amir} {
			var line demo.ChatLine
			c.Expect("chat.line", &line)
			want := demo.ChatLine{Room: "lobby", Name: "Ada", Text: "سلام", From: adaID, At: line.At}
			if line != want || line.At == 0 {
				t.Errorf("the line is %+v", line)
			}
		}
		outsider.ExpectNothing()
	})
}

func TestTypingReachesTheOthersOnly(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, _ := connect(t, app, "")
		amir, _ := connect(t, app, "")
		join(t, ada, "lobby", "Ada")
		join(t, amir, "lobby", "امیر")
		ada.Skip()
		amir.Skip()
		if _, err := finchtest.Request[any](ada, "chat.typing", object{"room": "lobby"}); err != nil {
			t.Fatal(err)
		}
		var typing demo.ChatTyping
		if amir.Expect("chat.typing", &typing); typing != (demo.ChatTyping{Room: "lobby", Name: "Ada"}) {
			t.Errorf("typing is %+v", typing)
		}
		ada.ExpectNothing()
	})
}

func TestARoomHearsWhoComesAndGoes(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, _ := connect(t, app, "")
		join(t, ada, "lobby", "Ada")
		expectMembers(t, ada, "lobby", "Ada")

		amir, _ := connect(t, app, "")
		join(t, amir, "lobby", "امیر")
		expectMembers(t, ada, "lobby", "Ada", "امیر")
		join(t, amir, "lobby", "امیرعلی")
		expectMembers(t, ada, "lobby", "Ada", "امیرعلی")
		amir.Drop()
		expectMembers(t, ada, "lobby", "Ada")

		if _, err := finchtest.Request[any](ada, "chat.leave", object{"room": "lobby"}); err != nil {
			t.Fatal(err)
		}
		_, err := finchtest.Request[any](ada, "chat.say", object{"room": "lobby", "text": "anyone?"})
		expectRefusal(t, "a line from outside", err, 403, "not_a_member")
		ada.Skip()
		mina, _ := connect(t, app, "")
		if got := join(t, mina, "lobby", "مینا"); !slices.Equal(got.Members, []string{"مینا"}) {
			t.Errorf("an empty room was kept: %+v", got)
		}
	})
}

func TestACrowdIsToldOnceAndInPart(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		const crowd = 150
		ada, _ := connect(t, app, "")
		join(t, ada, "lobby", "Ada")
		ada.Skip()
		clients := make([]*finchtest.Client, crowd)
		for i := range clients {
			clients[i], _ = connect(t, app, "")
		}
		for i, c := range clients {
			join(t, c, "lobby", fmt.Sprint("guest ", i))
		}
		var members demo.ChatMembers
		if ada.Expect("chat.members", &members); members.Count != crowd+1 || len(members.Members) != 100 || members.Members[0] != "Ada" {
			t.Errorf("the list has %d of %d names, first %q", len(members.Members), members.Count, members.Members[0])
		}
		ada.Skip()
		for _, c := range clients {
			c.Drop()
		}
		expectMembers(t, ada, "lobby", "Ada")
		var counts demo.Counts
		if ada.Expect("counts", &counts); counts.Clients != 1 {
			t.Errorf("the counts are %+v", counts)
		}
		ada.ExpectNothing() // one message for all who left, not one each
	})
}

func TestTheChatRefusesWhatDoesNotFit(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		join(t, c, "lobby", "Ada")
		for _, row := range []struct {
			name, path, code string
			data             object
			status           int
		}{
			{"no name", "chat.join", "bad_name", object{"room": "lobby", "name": "  "}, 422},
			{"a long name", "chat.join", "bad_name", object{"room": "lobby", "name": strings.Repeat("م", 41)}, 422},
			{"a name of two lines", "chat.join", "bad_name", object{"room": "lobby", "name": "a\nb"}, 422},
			{"no room", "chat.join", "bad_room", object{"name": "Ada"}, 422},
			{"a long room", "chat.join", "bad_room", object{"room": strings.Repeat("ا", 61), "name": "Ada"}, 422},
			{"no text", "chat.say", "bad_text", object{"room": "lobby"}, 422},
			{"a long text", "chat.say", "bad_text", object{"room": "lobby", "text": strings.Repeat("x", 2001)}, 422},
			{"another's room", "chat.say", "not_a_member", object{"room": "private", "text": "hello"}, 403},
			{"typing in another's room", "chat.typing", "not_a_member", object{"room": "private"}, 403},
		} {
			_, err := finchtest.Request[any](c, row.path, row.data)
			expectRefusal(t, row.name, err, row.status, row.code)
		}
	})
}

func TestTheLongestNameRoomAndTextFit(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		room, name, text := strings.Repeat("ا", 60), strings.Repeat("م", 40), strings.Repeat("ن", 2000)
		join(t, c, room, name)
		if _, err := finchtest.Request[any](c, "chat.say", object{"room": room, "text": text}); err != nil {
			t.Error(err)
		}
	})
}

func TestASocketIsInEightRoomsAtMost(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		for i := range 8 {
			join(t, c, fmt.Sprint("room ", i), "Ada")
		}
		_, err := finchtest.Request[any](c, "chat.join", object{"room": "one more", "name": "Ada"})
		expectRefusal(t, "a ninth room", err, 409, "too_many_rooms")
		join(t, c, "room 3", "Ada L.") // a room it is in is no new room
		if _, err := finchtest.Request[any](c, "chat.leave", object{"room": "room 3"}); err != nil {
			t.Error(err)
		}
		join(t, c, "one more", "Ada")
	})
}

func TestAnEmptiedRoomDoesNotSpeakForItsSuccessor(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, _ := connect(t, app, "")
		join(t, ada, "lobby", "Ada")
		if _, err := finchtest.Request[any](ada, "chat.leave", object{"room": "lobby"}); err != nil {
			t.Fatal(err)
		}
		amir, _ := connect(t, app, "")
		join(t, amir, "lobby", "امیر") // before anybody was told of Ada
		expectMembers(t, amir, "lobby", "امیر")
	})
}
