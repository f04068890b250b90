package nats_test

import (
	"os"

	"github.com/finch-go/finch"
	"github.com/finch-go/finch/broker/nats"
)

// Every node is made alike, but for its name.
func ExampleNew() {
	// region nats
	sockets := finch.NewSocketManager(&finch.SocketManagerOptions{
		Broker: nats.New(nats.Options{URL: "nats://nats-1,nats://nats-2,nats://nats-3"}),
		Secret: []byte(os.Getenv("CHAT_SECRET")), // the same on all nodes
	})
	// endregion
	_ = sockets
}
