package frame_test

import (
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

func TestOpcodesHaveNames(t *testing.T) {
	for _, row := range []struct {
		opcode  frame.Opcode
		name    string
		control bool
	}{
		{frame.Continuation, "continuation", false},
		{frame.Text, "text", false},
		{frame.Binary, "binary", false},
		{0x3, "opcode 0x3", false},
		{0x7, "opcode 0x7", false},
		{frame.Close, "close", true},
		{frame.Ping, "ping", true},
		{frame.Pong, "pong", true},
		{0xB, "opcode 0xb", true},
		{0xF, "opcode 0xf", true},
	} {
		if got := row.opcode.String(); got != row.name {
			t.Errorf("%#x is called %q, want %q", byte(row.opcode), got, row.name)
		}
		if got := row.opcode.IsControl(); got != row.control {
			t.Errorf("%v: IsControl is %v", row.opcode, got)
		}
	}
}
