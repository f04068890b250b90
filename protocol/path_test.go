package protocol_test

import (
	"strings"
	"testing"

	"github.com/finch-go/finch/protocol"
)

func TestPathIsChecked(t *testing.T) {
	for _, c := range []struct {
		path string
		ok   bool
	}{
		{"a", true},
		{"/chat/say", true},
		{"گفت‌وگو", true},
		{"with space", true},
		{"\x7f", true},
		{"finch.hello", true},
		{strings.Repeat("p", 128), true},
		{strings.Repeat("پ", 64), true},
		{"", false},
		{strings.Repeat("p", 129), false},
		{strings.Repeat("پ", 65), false},
		{"a\nb", false},
		{"\x00", false},
		{"\x1f", false},
		{"a\xff", false},
		{"\xed\xa0\x80", false},
	} {
		if err := protocol.CheckPath(c.path); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.path, err)
		}
	}
}

func TestFrameworkPathsBeginWithThePrefix(t *testing.T) {
	for _, path := range []string{
		protocol.PathHello, protocol.PathAuth, protocol.PathPing, protocol.PathJoin, protocol.PathLeave,
		protocol.PathPublish, protocol.PathHistory, protocol.PathPresence, protocol.PathError,
		protocol.PathLagged, protocol.PathReset, protocol.PathPosition, protocol.PathLeft, protocol.PathDrain,
	} {
		if !protocol.IsFrameworkPath(path) || protocol.CheckPath(path) != nil {
			t.Errorf("%q is no framework path", path)
		}
	}
	for _, path := range []string{"finch", "Finch.hello", "", "finches.a", " finch.a"} {
		if protocol.IsFrameworkPath(path) {
			t.Errorf("%q is a framework path", path)
		}
	}
}
