package hub_test

import (
	"fmt"
	"testing"

	"github.com/finch-go/finch/internal/hub"
)

func TestAReplayComesBehindWhatIsOwedAndWhole(t *testing.T) {
	h := hub.New(hub.Options{MemberBytes: 20})
	m, r := add(h, "1", "")
	r.busy = true
	h.Send(hub.Address{}, message("all"), nil)
	h.SendTo(m, []byte("own\n"))
	var frames [][]byte
	texts := []string{"all", "own"}
	for i := range 30 { // more than MemberBytes
		frames, texts = append(frames, fmt.Appendf(nil, "%d\n", i)), append(texts, fmt.Sprint(i))
	}
	size := 8
	for _, f := range frames {
		size += len(f)
	}
	if err := h.Replay(m, frames, size-1); err != hub.ErrSlow || r.overflow != 0 {
		t.Fatalf("beyond the limit: %v, overflow %d", err, r.overflow)
	}
	if err := h.Replay(m, frames, size); err != nil {
		t.Fatal(err)
	}
	if err := h.SendTo(m, []byte("then\n")); err != nil { // a replay does not count for MemberBytes
		t.Fatal(err)
	}
	h.Send(hub.Address{}, message("last"), nil)
	writable(h, m, r)
	settle(h)
	want(t, r, append(texts, "then", "last")...)
	if h.Pinned() != 0 {
		t.Errorf("pinned %d", h.Pinned())
	}
	h.Replay(m, frames, 1000)
	if h.Remove(m); h.Replay(m, frames, 1000) != hub.ErrGone || h.Pinned() != 0 {
		t.Errorf("after removal; pinned %d", h.Pinned())
	}
}
