package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// TestStoreThatLostItsTailShowsByTheTag: the directory is what a backup holds, or
// a disk that had acknowledged more than it had written.
func TestStoreThatLostItsTailShowsByTheTag(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	run := func(dir string, test func(b *embedded.Broker)) {
		b := embedded.New(embedded.Options{Dir: dir, Logger: servers.Quiet})
		servers.Begin(t, b, "n")
		defer servers.CloseNode(t, b)
		test(b)
	}
	var kept, lost []broker.Position
	run(dir, func(b *embedded.Broker) {
		for i := range 40 {
			kept = append(kept, servers.Publish(t, b, "r", fmt.Sprint(i), broker.PublishOptions{}))
		}
	})
	servers.CopyDir(t, dir, copied)
	run(dir, func(b *embedded.Broker) {
		for i := range 10 {
			lost = append(lost, servers.Publish(t, b, "r", fmt.Sprint("x", i), broker.PublishOptions{}))
		}
	})
	run(copied, func(b *embedded.Broker) {
		if head := servers.Open(t, b, "r"); head != kept[39] {
			t.Fatalf("the copy has head %v, want %v", head, kept[39])
		}
		if _, err := servers.Read(t, b, "r", broker.Range{From: lost[3]}).Follow(lost[3], 0); err == nil {
			t.Error("a lost position is good before anything else stands there")
		}
		for i := range 20 { // the same data under the same offsets
			servers.Publish(t, b, "r", fmt.Sprint("x", i), broker.PublishOptions{})
		}
		last := servers.Open(t, b, "r")
		if last.Epoch != lost[0].Epoch || last.Offset <= lost[9].Offset {
			t.Fatalf("the copy went on to %v, which does not cover %v", last, lost[9])
		}
		for _, p := range lost {
			page := servers.Read(t, b, "r", broker.Range{From: p, Until: last.Offset})
			if page.Messages[0].Position.Offset != p.Offset {
				t.Fatalf("no message stands at %v", p)
			}
			if after, err := page.Follow(p, last.Offset); !errors.Is(err, broker.ErrForked) {
				t.Errorf("the lost %v is followed by %d messages, %v", p, len(after), err)
			}
		}
		if after, err := servers.Read(t, b, "r", broker.Range{From: kept[39]}).Follow(kept[39], last.Offset); err != nil || len(after) != 20 {
			t.Errorf("the last position that was kept is followed by %d, %v", len(after), err)
		}
	})
}

// TestNodeSeesThatItsStoreWentBack: the server is exchanged under a node that
// lives on.
func TestNodeSeesThatItsStoreWentBack(t *testing.T) {
	copied := t.TempDir()
	box := servers.NewBox(t)
	dir := box.Dir
	s, _ := servers.Wired(box, nats.Options{})
	in := servers.Begin(t, s, "n")
	defer servers.CloseNode(t, s)
	servers.Open(t, s, "r")
	var all []broker.Position
	for range 5 {
		all = append(all, servers.Publish(t, s, "r", "kept", broker.PublishOptions{}))
	}
	_, mark, err := s.Heads(t.Context(), []string{"r"}, "")
	if err != nil {
		t.Fatal(err)
	}
	box.Stop()
	servers.CopyDir(t, dir, copied)
	box.Start(t)
	servers.Eventually(t, "the connection", func() bool {
		_, err := s.Publish(t.Context(), "r", []byte("lost"), broker.PublishOptions{Key: "k"})
		return err == nil
	})
	if _, mark, err = s.Heads(t.Context(), []string{"r"}, mark); err != nil {
		t.Fatal(err)
	}
	box.Stop()
	servers.CopyDir(t, copied, dir)
	_, before := in.Since(0)
	box.Start(t)
	servers.Eventually(t, "news that the store may have changed", func() bool {
		came, _ := in.Since(before)
		return slices.Contains(came, "uncertain")
	})
	servers.Eventually(t, "the head that the store has now", func() bool {
		heads, _, err := s.Heads(context.Background(), []string{"r"}, mark)
		return err == nil && len(heads) == 1 && heads[0].Position == all[4]
	})
}
