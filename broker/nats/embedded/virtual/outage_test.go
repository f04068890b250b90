//go:build !race

package virtual_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// TestServerThatIsGoneForAnHourComesBack: meanwhile publishing fails at once, and
// afterwards everything works without anybody doing anything.
func TestServerThatIsGoneForAnHourComesBack(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, b, "n")
		defer servers.CloseNode(t, b)
		writer, _ := servers.Wired(s, nats.Options{})
		servers.Begin(t, writer, "writer")
		defer servers.CloseNode(t, writer)
		servers.Open(t, b, "r")
		first := servers.Publish(t, writer, "r", "1", broker.PublishOptions{})
		share(t, b, "r", 3)
		synced := time.Now()
		time.Sleep(time.Second)
		_, before := in.Since(0)
		s.Stop()
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
		s.Start(t)
		time.Sleep(10 * time.Second)
		second := servers.Publish(t, writer, "r", "2", broker.PublishOptions{})
		other := servers.Publish(t, writer, "other", "1", broker.PublishOptions{})
		time.Sleep(time.Second)
		if second.Epoch != first.Epoch || second.Offset <= first.Offset {
			t.Errorf("%v after %v", second, first)
		}
		came, _ := in.Since(before)
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

// TestLossUnderALiveConnectionIsFound: no connection breaks, no leader changes;
// the sounding of the node is what is missed.
func TestLossUnderALiveConnectionIsFound(t *testing.T) {
	virtually(t, func(t *testing.T, s world) {
		b, _ := servers.Wired(s, nats.Options{})
		in := servers.Begin(t, b, "n")
		defer servers.CloseNode(t, b)
		lost := servers.Publish(t, b, "r", "1", broker.PublishOptions{})
		servers.Open(t, b, "r")
		_, mark, err := b.Heads(t.Context(), []string{"r"}, "")
		if err != nil {
			t.Fatal(err)
		}
		conn := servers.Connect(t, s)
		for _, stream := range servers.Streams(t, conn, "finch") {
			servers.API(t, conn, "STREAM.PURGE."+stream, nil, nil)
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
