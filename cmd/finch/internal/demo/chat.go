package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/finch-go/finch"
)

// The chat is a pattern of rooms. Who is in one, what was said there and who
// missed what is Finch's business; the demo says what may be said.

// ChatLine is what "chat.line" carries. A client publishes it.
type ChatLine struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// ChatTyping is what "chat.typing" carries: somebody is writing.
type ChatTyping struct {
	Room string `json:"room"`
	Name string `json:"name"`
}

// Bounds of what one client may ask for.
const (
	maxName      = 40 // characters, like the next two
	maxRoom      = 60
	maxText      = 2000
	maxRooms     = 8        // per socket
	maxLineBytes = 16 << 10 // of a line's JSON, which is kept as it came
)

// chatRooms is the prefix of Finch rooms that are chat rooms.
const chatRooms = "chat:"

func registerChat(m *finch.SocketManager) {
	m.DeclareRooms(chatRooms+"{room...}", finch.RoomOptions{
		HistorySize: 200,
		HistoryAge:  24 * time.Hour,
		Presence:    true, // its data is the name under which somebody sits there
		CanJoin:     mayJoinChat,
		CanPublish:  mayPublishLine,
	})
	finch.On(m, "chat.typing", typing)
}

func mayJoinChat(ctx context.Context, s *finch.Socket, room string) error {
	return isLine(strings.TrimPrefix(room, chatRooms), maxRoom, "bad_room", "a room's name")
}

// mayPublishLine lets through what the page can show. The message is recorded
// as it is, so whatever would have to be mended is refused.
func mayPublishLine(ctx context.Context, s *finch.Socket, room string, m *finch.Message) error {
	if m.Path != "chat.line" {
		return finch.Errorf(403, "forbidden", "only chat.line is published in a chat room")
	}
	if len(m.Data) > maxLineBytes {
		return finch.Errorf(413, "too_large", "a line may have %d bytes", maxLineBytes)
	}
	var in ChatLine
	strict := json.NewDecoder(bytes.NewReader(m.Data))
	strict.DisallowUnknownFields()
	if strict.Decode(&in) != nil {
		return finch.Errorf(422, "bad_data", `a line is {"name": "...", "text": "..."}`)
	}
	if err := isLine(in.Name, maxName, "bad_name", "a name"); err != nil {
		return err
	}
	return isText(in.Text, maxText, "bad_text", "a line")
}

// typing passes a word on to whoever is there now. It is not worth recording.
func typing(ctx context.Context, s *finch.Socket, in ChatTyping) error {
	if !slices.Contains(s.Rooms(), chatRooms+in.Room) {
		return finch.Errorf(403, "not_in_room", "join the room before you write to it")
	}
	if err := isLine(in.Name, maxName, "bad_name", "a name"); err != nil {
		return err
	}
	return s.Manager().Room(chatRooms+in.Room).Send("chat.typing", in, finch.Except(s))
}
