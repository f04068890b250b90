package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded"
)

// TestServerThatIsGoneForAnHourComesBack: meanwhile publishing fails at once, and
// afterwards everything works without anybody doing anything.
func TestServerThatIsGoneForAnHourComesBack(t *testing.T) {
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		b, _ := wired(s, nats.Options{})
		in := begin(t, b, "n")
		defer closeNode(t, b)
		writer, _ := wired(s, nats.Options{})
		begin(t, writer, "writer")
		defer closeNode(t, writer)
		open(t, b, "r")
		first := publish(t, writer, "r", "1", broker.PublishOptions{})
		share(t, b, "r", 3)
		synced := time.Now()
		time.Sleep(time.Second)
		_, before := in.since(0)
		s.StopServer()
		time.Sleep(time.Second)
		for range 100 {
			begun := time.Now()
			_, err := b.Publish(t.Context(), "r", nil, broker.PublishOptions{Key: "k"})
			if !errors.Is(err, broker.ErrUnavailable) || time.Since(begun) > 10*time.Millisecond {
				t.Fatalf("a publish while the server is gone: %v after %v", err, time.Since(begun))
			}
			time.Sleep(36 * time.Second)
		}
		_, errOpen := b.Open(t.Context(), []string{"other"})
		_, errRead := b.Read(t.Context(), "r", broker.Range{})
		_, _, errHeads := b.Heads(t.Context(), []string{"r"}, "")
		_, errShares := b.Shares(t.Context(), "r")
		_, errAsk := b.Ask(t.Context(), "writer", nil)
		for i, err := range []error{errOpen, errRead, errHeads, errShares, errAsk, b.Purge(t.Context(), "r"), b.Send(t.Context(), broker.Target{}, nil), b.SetShare(t.Context(), "r", 4)} {
			if !errors.Is(err, broker.ErrUnavailable) {
				t.Errorf("call %d while the server is gone: %v", i, err)
			}
		}
		if n := len(b.Nodes()); n != 3 {
			t.Errorf("%d nodes are known, not the 3 from before", n)
		}
		if err := s.StartServer(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		second := publish(t, writer, "r", "2", broker.PublishOptions{})
		other := publish(t, writer, "other", "1", broker.PublishOptions{})
		time.Sleep(time.Second)
		if second.Epoch != first.Epoch || second.Offset <= first.Offset {
			t.Errorf("%v after %v", second, first)
		}
		came, _ := in.since(before)
		down, up := slices.Index(came, "down"), slices.Index(came, "connected")
		doubt, message := slices.Index(came, "uncertain"), slices.Index(came, "message 2")
		if down < 0 || up < down || doubt < 0 || message < doubt {
			t.Errorf("what came: %q", came)
		}
		if got := in.Messages("other"); len(got) != 1 || got[0].Position != other {
			t.Errorf("the room that was opened while the server was gone had %v", got)
		}
		if n := members(t, b, "r"); n != 4 {
			t.Errorf("%d members, and the last share is 4 (set after %v)", n, time.Since(synced))
		}
	})
}

// TestStoreThatLostItsTailShowsByTheTag: the directory is what a backup holds, or
// a disk that had acknowledged more than it had written.
func TestStoreThatLostItsTailShowsByTheTag(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	run := func(dir string, test func(b *embedded.Broker)) {
		b := embedded.New(embedded.Options{Dir: dir, Logger: quiet})
		begin(t, b, "n")
		defer closeNode(t, b)
		test(b)
	}
	var kept, lost []broker.Position
	run(dir, func(b *embedded.Broker) {
		for i := range 40 {
			kept = append(kept, publish(t, b, "r", fmt.Sprint(i), broker.PublishOptions{}))
		}
	})
	copyDir(t, dir, copied)
	run(dir, func(b *embedded.Broker) {
		for i := range 10 {
			lost = append(lost, publish(t, b, "r", fmt.Sprint("x", i), broker.PublishOptions{}))
		}
	})
	run(copied, func(b *embedded.Broker) {
		if head := open(t, b, "r"); head != kept[39] {
			t.Fatalf("the copy has head %v, want %v", head, kept[39])
		}
		if _, err := read(t, b, "r", broker.Range{From: lost[3]}).Follow(lost[3], 0); err == nil {
			t.Error("a lost position is good before anything else stands there")
		}
		for i := range 20 { // the same data under the same offsets
			publish(t, b, "r", fmt.Sprint("x", i), broker.PublishOptions{})
		}
		last := open(t, b, "r")
		if last.Epoch != lost[0].Epoch || last.Offset <= lost[9].Offset {
			t.Fatalf("the copy went on to %v, which does not cover %v", last, lost[9])
		}
		for _, p := range lost {
			page := read(t, b, "r", broker.Range{From: p, Until: last.Offset})
			if page.Messages[0].Position.Offset != p.Offset {
				t.Fatalf("no message stands at %v", p)
			}
			if after, err := page.Follow(p, last.Offset); !errors.Is(err, broker.ErrForked) {
				t.Errorf("the lost %v is followed by %d messages, %v", p, len(after), err)
			}
		}
		if after, err := read(t, b, "r", broker.Range{From: kept[39]}).Follow(kept[39], last.Offset); err != nil || len(after) != 20 {
			t.Errorf("the last position that was kept is followed by %d, %v", len(after), err)
		}
	})
}

// TestNodeSeesThatItsStoreWentBack: the server is exchanged under a node that
// lives on.
func TestNodeSeesThatItsStoreWentBack(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	s := embedded.New(embedded.Options{Dir: dir, Logger: quiet})
	in := begin(t, s, "n")
	defer closeNode(t, s)
	open(t, s, "r")
	var all []broker.Position
	for range 5 {
		all = append(all, publish(t, s, "r", "kept", broker.PublishOptions{}))
	}
	_, mark, err := s.Heads(t.Context(), []string{"r"}, "")
	if err != nil {
		t.Fatal(err)
	}
	s.StopServer()
	copyDir(t, dir, copied)
	if err := s.StartServer(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection", func() bool {
		_, err := s.Publish(t.Context(), "r", []byte("lost"), broker.PublishOptions{Key: "k"})
		return err == nil
	})
	if _, mark, err = s.Heads(t.Context(), []string{"r"}, mark); err != nil {
		t.Fatal(err)
	}
	s.StopServer()
	copyDir(t, copied, dir)
	_, before := in.since(0)
	if err := s.StartServer(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "news that the store may have changed", func() bool {
		came, _ := in.since(before)
		return slices.Contains(came, "uncertain")
	})
	eventually(t, "the head that the store has now", func() bool {
		heads, _, err := s.Heads(context.Background(), []string{"r"}, mark)
		return err == nil && len(heads) == 1 && heads[0].Position == all[4]
	})
}

// TestLossUnderALiveConnectionIsFound: no connection breaks, no leader changes;
// the sounding of the node is what is missed.
func TestLossUnderALiveConnectionIsFound(t *testing.T) {
	virtually(t, func(t *testing.T, s *embedded.Broker) {
		b, _ := wired(s, nats.Options{})
		in := begin(t, b, "n")
		defer closeNode(t, b)
		lost := publish(t, b, "r", "1", broker.PublishOptions{})
		open(t, b, "r")
		_, mark, err := b.Heads(t.Context(), []string{"r"}, "")
		if err != nil {
			t.Fatal(err)
		}
		conn := connect(t, s)
		for _, stream := range streams(t, conn, "finch") {
			api(t, conn, "STREAM.PURGE."+stream, nil, nil)
		}
		before := in.UncertainCount()
		heads, _, err := b.Heads(t.Context(), []string{"r"}, mark)
		if err != nil || len(heads) != 1 || !heads[0].Position.IsEmpty() {
			t.Errorf("the head of the room is %v, %v; %v is lost", heads, err, lost)
		}
		if in.UncertainCount() == before {
			t.Error("nobody was told")
		}
	})
}
