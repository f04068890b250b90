package server

import "strings"

// The rooms of the app.
const (
	// Busy rooms are published in all the time.
	Busy = "busy:"
	// Quiet rooms are published in now and then: a last message that is lost there
	// leaves no gap.
	Quiet = "quiet:"
	// Small rooms keep few messages, so that who is away for long is reset.
	Small = "small:"
	// Club rooms nobody may join: the server puts into them who asks to be enrolled.
	Club = "club:"
	// Enroll is the event path of that.
	Enroll = "enroll"
	// Fresh rooms have one message in their life.
	Fresh = "fresh:"
)

// depth is how many messages a room keeps; smallDepth a small one.
const (
	depth      = 5000
	smallDepth = 20
)

// Depth answers how many messages a room keeps.
func Depth(room string) int {
	if strings.HasPrefix(room, Small) {
		return smallDepth
	}
	return depth
}
