package embedded_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
	"github.com/finch-go/finch/broker/nats/embedded/internal/servers"
)

// A node that comes up before the servers do goes on trying with the one broker
// that it was given.
func TestStartThatFailedMayBeTriedAgain(t *testing.T) {
	c := servers.NewCluster(t, 1, nil)
	c.Stop(0)
	b, in := nats.New(nats.Options{URL: c.URL(0), Namespace: servers.NewNamespace(), Logger: servers.Quiet}), &brokertest.Inbox{}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := b.Start(ctx, broker.Node{ID: "n"}, in)
		cancel()
		if !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("without a server: %v", err)
		}
	}
	c.Start(t, 0)
	ctx, cancel := context.WithTimeout(t.Context(), servers.Patience)
	defer cancel()
	servers.Eventually(t, "a start", func() bool { return b.Start(ctx, broker.Node{ID: "n"}, in) == nil })
	defer b.Close(ctx)
	if _, err := b.Open(ctx, []string{"r"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(ctx, "r", []byte("salaam"), broker.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	servers.Eventually(t, "the message", func() bool { return len(in.Messages("r")) == 1 })
}
