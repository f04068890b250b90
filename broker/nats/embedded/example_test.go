package embedded_test

import (
	"context"
	"fmt"
	"os"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker"
	"github.com/finch-go/finch/broker/brokertest"
	"github.com/finch-go/finch/broker/nats/embedded"
)

// A program that is alone, and whose rooms outlive it.
func ExampleNew() {
	// region embedded
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: embedded.New(embedded.Options{Dir: "/var/lib/chat"}),
		Secret: []byte(os.Getenv("CHAT_SECRET")), // the same after a restart
	})
	// endregion
	_ = sockets
}

// The history outlives the program: the second part of this example could be its
// next run.
func Example() {
	dir, err := os.MkdirTemp("", "history")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	run := func(work func(ctx context.Context, b broker.Broker)) {
		b := embedded.New(embedded.Options{Dir: dir})
		ctx := context.Background()
		// Finch does this with the broker that it is given.
		if err := b.Start(ctx, broker.Node{ID: "node-1"}, &brokertest.Inbox{}); err != nil {
			panic(err)
		}
		defer b.Close(ctx)
		work(ctx, b)
	}
	run(func(ctx context.Context, b broker.Broker) {
		if _, err := b.Publish(ctx, "chat", []byte("hello"), broker.PublishOptions{From: "ann"}); err != nil {
			panic(err)
		}
	})
	run(func(ctx context.Context, b broker.Broker) {
		page, err := b.Read(ctx, "chat", broker.Range{})
		if err != nil {
			panic(err)
		}
		for _, m := range page.Messages {
			fmt.Printf("%s: %s\n", m.From, m.Data)
		}
	})
	// Output: ann: hello
}
