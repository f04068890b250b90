package protocol

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// MaxPathBytes is the length of the longest event path, in bytes of UTF-8.
const MaxPathBytes = 128

// FrameworkPrefix begins every path that belongs to Finch itself. An app may
// not define paths under it.
const FrameworkPrefix = "finch."

// The framework's own paths. Clients send the first group.
const (
	PathHello    = "finch.hello"    // who are you, what do you speak
	PathAuth     = "finch.auth"     // a new token for this socket
	PathPing     = "finch.ping"     // a heartbeat for clients that cannot send ping frames
	PathJoin     = "finch.join"     // enter a room
	PathLeave    = "finch.leave"    // leave a room
	PathPublish  = "finch.publish"  // record a message in a room
	PathHistory  = "finch.history"  // read a room's messages
	PathPresence = "finch.presence" // who is in a room; the server sends it too
)

// The framework's own paths that only the server sends.
const (
	PathError    = "finch.error"    // a message without id was refused
	PathJoined   = "finch.joined"   // you are in a room, and how far that reaches back
	PathLagged   = "finch.lagged"   // you fell behind and will be caught up
	PathReset    = "finch.reset"    // you cannot be caught up: fetch again
	PathPosition = "finch.position" // your place in a room moved without a message
	PathLeft     = "finch.left"     // the server took you out of a room
	PathDrain    = "finch.drain"    // this node goes away: when to come back
)

var (
	errPathEmpty   = errors.New("a path has at least one character")
	errPathLong    = errors.New("a path has at most 128 bytes of UTF-8")
	errPathText    = errors.New("a path is valid Unicode text")
	errPathControl = errors.New("a path has no control characters")
)

// CheckPath returns nil for a path that may travel: valid UTF-8 of 1 to
// [MaxPathBytes] bytes without the control characters U+0000 to U+001F. The
// error is one sentence that says which rule was broken. Paths under
// [FrameworkPrefix] pass; ask [IsFrameworkPath] for these.
func CheckPath(path string) error {
	switch {
	case path == "":
		return errPathEmpty
	case len(path) > MaxPathBytes:
		return errPathLong
	case !utf8.ValidString(path):
		return errPathText
	}
	for i := 0; i < len(path); i++ {
		if path[i] < ' ' {
			return errPathControl
		}
	}
	return nil
}

// IsFrameworkPath reports whether path lies under [FrameworkPrefix].
func IsFrameworkPath(path string) bool {
	return strings.HasPrefix(path, FrameworkPrefix)
}
