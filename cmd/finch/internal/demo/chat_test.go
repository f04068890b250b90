package demo_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/finch-go/finch/cmd/finch/internal/demo"
	"github.com/finch-go/finch/finchtest"
)

type object = map[string]string

// enter says hello, if that was not done, and joins a chat room.
func enter(t *testing.T, c *finchtest.Client, room string) {
	t.Helper()
	if _, err := c.Join("chat:" + room); err != nil {
		t.Fatal(err)
	}
}

// present is who is in a room, as finch.presence answers.
type present struct {
	Members []struct {
		ID      string
		Devices int
		Data    struct{ Name string }
	}
	Count int
}

func sitAs(t *testing.T, c *finchtest.Client, room, name string) present {
	t.Helper()
	here, err := finchtest.Request[present](c, "finch.presence", map[string]any{"room": "chat:" + room, "watch": true, "data": object{"name": name}})
	if err != nil {
		t.Fatal(err)
	}
	return here
}

func say(c *finchtest.Client, room, name, text, key string) error {
	_, _, err := c.Publish("chat:"+room, "chat.line", demo.ChatLine{Name: name, Text: text}, key)
	return err
}

func TestALineReachesItsRoomAndNobodyElse(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, adaID := connect(t, app, "")
		amir, _ := connect(t, app, "")
		outsider, _ := connect(t, app, "")
		enter(t, ada, "lobby")
		enter(t, amir, "lobby")
		enter(t, outsider, "چای‌خانه")
		time.Sleep(time.Second) // of the bubble: all have been told how many are here
		for _, c := range []*finchtest.Client{ada, amir, outsider} {
			c.Skip()
		}
		if err := say(ada, "lobby", "Ada", "سلام", "key of Ada's first line"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*finchtest.Client{ada, amir} {
			var line demo.ChatLine
			got := c.Expect("chat.line", &line)
			if line != (demo.ChatLine{Name: "Ada", Text: "سلام"}) || got.From != adaID || got.Key != "key of Ada's first line" || got.Room != "chat:lobby" {
				t.Errorf("the line is %+v: %+v", line, got)
			}
		}
		outsider.ExpectNothing()
	})
}

func TestWhatWasSaidIsThereForWhoComesLater(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, _ := connect(t, app, "")
		enter(t, ada, "lobby")
		for i := range 210 {
			if err := say(ada, "lobby", "Ada", fmt.Sprint("line ", i), fmt.Sprint("key ", i)); err != nil {
				t.Fatal(err)
			}
		}
		ada.Drop() // the room is empty, and keeps what was said
		type page struct {
			Messages []struct {
				Data     demo.ChatLine
				Position string
			}
			More bool
		}
		amir, _ := connect(t, app, "")
		enter(t, amir, "lobby")
		read := func(ask map[string]any) page {
			t.Helper()
			ask["room"] = "chat:lobby"
			p, err := finchtest.Request[page](amir, "finch.history", ask)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		newest := read(map[string]any{"limit": 50})
		if len(newest.Messages) != 50 || !newest.More || newest.Messages[49].Data.Text != "line 209" {
			t.Fatalf("the newest are %d, more %v", len(newest.Messages), newest.More)
		}
		older := read(map[string]any{"before": newest.Messages[0].Position, "limit": 200})
		if len(older.Messages) != 150 || older.More || older.Messages[0].Data.Text != "line 10" {
			t.Errorf("before these are %d, more %v, first %+v", len(older.Messages), older.More, older.Messages[0])
		}
	})
}

func TestTheSameLineTriedTwiceIsSaidOnce(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, _ := connect(t, app, "")
		enter(t, ada, "lobby")
		ada.Skip()
		for range 2 {
			if err := say(ada, "lobby", "Ada", "once", "one key"); err != nil {
				t.Fatal(err)
			}
		}
		ada.Expect("chat.line", nil)
		ada.ExpectNothing()
	})
}

func TestAUserWithTwoTabsIsPresentOnce(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		phone, _ := connect(t, app, "sara")
		enter(t, phone, "lobby")
		sitAs(t, phone, "lobby", "Sara")
		laptop, _ := connect(t, app, "sara")
		enter(t, laptop, "lobby")
		here := sitAs(t, laptop, "lobby", "Sara")
		if here.Count != 1 || here.Members[0].ID != "sara" || here.Members[0].Devices != 2 || here.Members[0].Data.Name != "Sara" {
			t.Errorf("present are %+v", here)
		}
		amir, _ := connect(t, app, "")
		enter(t, amir, "lobby")
		if here := sitAs(t, amir, "lobby", "امیر"); here.Count != 2 {
			t.Errorf("with another present are %+v", here)
		}
		amir.Skip()
		laptop.Close(1000, "")
		phone.Close(1000, "")
		for gone := false; !gone; {
			var change struct {
				Left  []string
				Count int
			}
			amir.Expect("finch.presence", &change)
			gone = len(change.Left) == 1 && change.Left[0] == "sara" && change.Count == 1
		}
	})
}

func TestTypingReachesTheOthersOnly(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		ada, _ := connect(t, app, "")
		amir, _ := connect(t, app, "")
		enter(t, ada, "lobby")
		enter(t, amir, "lobby")
		ada.Skip()
		amir.Skip()
		if _, err := finchtest.Request[any](ada, "chat.typing", demo.ChatTyping{Room: "lobby", Name: "Ada"}); err != nil {
			t.Fatal(err)
		}
		var typing demo.ChatTyping
		if amir.Expect("chat.typing", &typing); typing != (demo.ChatTyping{Room: "lobby", Name: "Ada"}) {
			t.Errorf("typing is %+v", typing)
		}
		ada.ExpectNothing()
	})
}

func TestTheChatRefusesWhatDoesNotFit(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		for _, row := range []struct {
			name, room, code string
			status           int
		}{
			{"no room", "chat:", "room_not_declared", 403},
			{"a blank room", "chat:  ", "bad_room", 422},
			{"a room with space around it", "chat: lobby", "bad_room", 422},
			{"a long room", "chat:" + strings.Repeat("ا", 61), "bad_room", 422},
			{"no chat room", "lobby", "room_not_declared", 403},
		} {
			_, err := c.Join(row.room)
			expectRefusal(t, row.name, err, row.status, row.code)
		}
		enter(t, c, "lobby")
		for _, row := range []struct {
			name, room, path, code string
			data                   any
			status                 int
		}{
			{"another path", "lobby", "chat.members", "forbidden", demo.ChatLine{Name: "Ada", Text: "hello"}, 403},
			{"no name", "lobby", "chat.line", "bad_name", demo.ChatLine{Name: "  ", Text: "hello"}, 422},
			{"a long name", "lobby", "chat.line", "bad_name", demo.ChatLine{Name: strings.Repeat("م", 41), Text: "hello"}, 422},
			{"a name of two lines", "lobby", "chat.line", "bad_name", demo.ChatLine{Name: "a\nb", Text: "hello"}, 422},
			{"no text", "lobby", "chat.line", "bad_text", demo.ChatLine{Name: "Ada"}, 422},
			{"a long text", "lobby", "chat.line", "bad_text", demo.ChatLine{Name: "Ada", Text: strings.Repeat("x", 2001)}, 422},
			{"space around a text", "lobby", "chat.line", "bad_text", demo.ChatLine{Name: "Ada", Text: " hello"}, 422},
			{"what is no line", "lobby", "chat.line", "bad_data", "hello", 422},
			{"more than a line", "lobby", "chat.line", "bad_data", object{"name": "Ada", "text": "hello", "more": "x"}, 422},
			{"another's room", "private", "chat.line", "not_in_room", demo.ChatLine{Name: "Ada", Text: "hello"}, 403},
		} {
			_, _, err := c.Publish("chat:"+row.room, row.path, row.data, "")
			expectRefusal(t, row.name, err, row.status, row.code)
		}
		c.SendText(`{"path":"finch.publish","id":"x","data":{"room":"chat:lobby","path":"chat.line","data":{"name":"Ada",` + strings.Repeat(" ", 17000) + `"text":"hello"}}}`)
		if got := c.Expect("finch.publish", nil); got.Status != 413 {
			t.Errorf("a line of much space is answered %d", got.Status)
		}
		_, err := finchtest.Request[any](c, "chat.typing", demo.ChatTyping{Room: "private", Name: "Ada"})
		expectRefusal(t, "typing in another's room", err, 403, "not_in_room")
		_, err = finchtest.Request[any](c, "chat.typing", demo.ChatTyping{Room: "lobby"})
		expectRefusal(t, "typing without a name", err, 422, "bad_name")
	})
}

func TestTheLongestNameRoomAndTextFit(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		for _, letter := range []string{"ا", "🐦"} {
			room := strings.Repeat("ا", 60)
			enter(t, c, room)
			if err := say(c, room, strings.Repeat(letter, 40), strings.Repeat(letter, 2000), ""); err != nil {
				t.Error(err)
			}
		}
		enter(t, c, "a room/with:both") // what separates the parts of a pattern is no sign of this one
	})
}

func TestASocketIsInEightRoomsAtMost(t *testing.T) {
	inDemo(t, func(t *testing.T, app http.Handler) {
		c, _ := connect(t, app, "")
		for i := range 8 {
			enter(t, c, fmt.Sprint("room ", i))
		}
		_, err := c.Join("chat:one more")
		expectRefusal(t, "a ninth room", err, 409, "too_many_rooms")
		enter(t, c, "room 3") // a room it is in is no new room
		c.Leave("chat:room 3")
		enter(t, c, "one more")
	})
}
