package hub_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/finch-go/finch/internal/hub"
)

// fewPushes is a Sink that takes some pushes and no more.
type fewPushes struct {
	reader
	left int
}

func (s *fewPushes) Push(pieces [][]byte) bool {
	if s.left == 0 {
		return false
	}
	s.left--
	return s.reader.Push(pieces)
}

// What a member has taken of its backlog is not waiting any more, while the rest is.
func TestOnlyTheRestOfABacklogIsOwed(t *testing.T) {
	const frame = 10 << 10
	h := hub.New(hub.Options{MemberBytes: 100 * frame})
	sink := &fewPushes{left: 1}
	m := &hub.Member{ID: "1", Sink: sink}
	h.Add(m)
	send := func(n int) error {
		for range n {
			if err := h.SendTo(m, []byte(strings.Repeat("x", frame))); err != nil {
				return err
			}
		}
		return nil
	}
	if err := send(60); err != nil {
		t.Fatal(err)
	}
	settle(h)
	taken := len(sink.got) / frame
	if taken == 0 || taken == 60 {
		t.Fatalf("of 60 frames one push took %d", taken)
	}
	if got := h.Pinned(); got != int64((60-taken)*frame) {
		t.Errorf("%d bytes are pinned, want the %d that are left", got, (60-taken)*frame)
	}
	if err := send(40 + taken); err != nil {
		t.Errorf("what it has taken counts as waiting: %v", err)
	}
	if err := send(1); !errors.Is(err, hub.ErrSlow) {
		t.Errorf("one frame more than it may keep waiting: %v", err)
	}
	h.Remove(m)
	if h.Pinned() != 0 {
		t.Errorf("%d bytes are still pinned", h.Pinned())
	}
}
