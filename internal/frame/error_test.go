package frame_test

import (
	"testing"

	"github.com/finch-go/finch/internal/frame"
)

func TestErrorShowsReasonAndCode(t *testing.T) {
	err := error(&frame.Error{Code: 1002, Reason: "reserved opcode"})
	if got, want := err.Error(), "websocket: reserved opcode (close code 1002)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
