package embedded_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats"
)

// A node that comes up before the servers do goes on trying with the one broker
// that it was given.
func TestStartThatFailedMayBeTriedAgain(t *testing.T) {
	c := newCluster(t, 1, nil)
	c.stop(0)
	b, in := nats.New(nats.Options{URL: c.url(0), Namespace: newNamespace(), Logger: quiet}), &brokertest.Inbox{}
	for range 2 {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		err := b.Start(ctx, broker.Node{ID: "n"}, in)
		cancel()
		if !errors.Is(err, broker.ErrUnavailable) {
			t.Fatalf("without a server: %v", err)
		}
	}
	c.start(t, 0)
	c.await(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := b.Start(ctx, broker.Node{ID: "n"}, in); err != nil {
		t.Fatalf("with a server: %v", err)
	}
	defer b.Close(ctx)
	if _, err := b.Open(ctx, []string{"r"}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Publish(ctx, "r", []byte("salaam"), broker.PublishOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message", func() bool { return len(in.Messages("r")) == 1 })
}
